"""Options: declared once, checked wherever they are made."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from ace_ros.cli.playing import LiveOptions
from ace_ros.errors import InputError
from ace_ros.localization.options import LocalizeOptions
from ace_ros.mapping.options import MapOptions
from ace_ros.nodes.options import LocalizationNodeOptions, MappingNodeOptions
from ace_ros.online.keyframes import KeyframeOptions
from ace_ros.online.odometry_gate import GateOptions
from ace_ros.options import OptionError, Options, declared, from_plain, option, part, plain_defaults
from ace_ros.recordings import BagOptions, SplitOptions

ALL = (MapOptions, LocalizeOptions, BagOptions, SplitOptions, KeyframeOptions, GateOptions, LiveOptions)


@dataclass(frozen=True)
class Tea(Options):
    """Tea. As it should be."""

    steep: float = option(180.0, "How long the leaves are in.", unit="s", low=30.0, high=600.0)
    cups: int = option(1, "How many it is for.", low=1, stand_in=0)
    kind: Literal["green", "black"] = option("black", "Which leaves.")
    sweet: bool = option(False, "With sugar.")
    pot: Path | None = option(None, "What it is made in.", without="the cup")
    limit: float | None = option(None, "Longest wait.", unit="s", low=0.1, without="none")


@pytest.mark.parametrize("cls", ALL)
def test_every_option_of_the_library_is_declared_with_a_text_and_a_default_that_it_takes(cls):
    known = declared(cls)
    assert set(known) == {entry.name for entry in fields(cls)} - {"bag"}
    assert all(one.text.endswith(".") and one.kind is not None for one in known.values())
    cls()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"steep": 5}, r"steep: takes 30 to 600, got 5 \(How long the leaves are in, in s\)"),
        ({"steep": float("nan")}, "steep: takes 30 to 600"),
        ({"steep": "long"}, "steep: takes a number, got 'long'"),
        ({"cups": 0}, "cups: takes 1 or more, got 0"),
        ({"cups": True}, "cups: takes a whole number, got True"),
        ({"cups": 1.5}, "cups: takes a whole number"),
        ({"kind": "mint"}, "kind: takes one of green, black, got 'mint'"),
        ({"sweet": 1}, "sweet: takes true or false"),
        ({"pot": 7}, "pot: takes a path"),
        ({"limit": 0.0}, "limit: takes 0.1 or more, got 0.0"),
    ],
)
def test_what_an_option_does_not_take_is_refused_with_its_name_range_unit_and_meaning(values, said):
    with pytest.raises(InputError, match=said):
        Tea(**values)


def test_values_are_brought_into_their_types():
    tea = Tea(steep=np.float32(60), cups=np.int64(2), pot="~/pot")
    assert (tea.steep, tea.cups, tea.pot) == (60.0, 2, Path.home() / "pot")
    assert (type(tea.steep), type(tea.cups), type(Tea(steep=60).steep)) == (float, int, float)


def test_parameters_have_no_none_and_no_path():
    assert plain_defaults(Tea) == {
        "steep": 180.0, "cups": 1, "kind": "black", "sweet": False, "pot": "", "limit": 0.0
    }  # fmt: skip
    assert from_plain(Tea, plain_defaults(Tea)) == Tea()
    assert from_plain(Tea, {"pot": "/pot", "limit": 3}) == Tea(pot=Path("/pot"), limit=3.0)
    assert from_plain(Tea, {"cups": 0}).cups == 1  # stands for the default
    texts = {name: one.plain_text for name, one in declared(Tea).items()}
    assert texts["pot"] == "What it is made in; empty: the cup." and texts["limit"] == "Longest wait; 0: none."
    with pytest.raises(OptionError, match="milk: there is no such parameter; there are steep, cups"):
        from_plain(Tea, {"milk": True})
    with pytest.raises(OptionError, match="cups: takes a whole number"):
        from_plain(Tea, {"cups": False})  # which is not 0


def test_hints_tell_unit_range_and_the_choices_that_the_text_leaves_out():
    hints = {name: one.hint for name, one in declared(Tea).items()}
    assert hints == {
        "steep": "[s, 30 to 600]", "cups": "[1 or more]", "kind": "[green | black]", "sweet": "", "pot": "",
        "limit": "[s, 0.1 or more]",
    }  # fmt: skip


def test_nodes_take_the_options_of_the_library_as_they_are():
    for node, parts in ((MappingNodeOptions, (MapOptions, KeyframeOptions)), (LocalizationNodeOptions, (GateOptions,))):
        for cls in parts:
            assert part(cls, node()) == cls()
            assert {name: one for name, one in declared(node).items() if name in declared(cls)} == declared(cls)
    given = part(MapOptions, from_plain(MappingNodeOptions, {"steps": 7, "encoder_weights": "~/w", "seconds": 2.5}))
    assert given == MapOptions(steps=7, encoder_weights=Path.home() / "w", seconds=2.5)
    assert part(LocalizeOptions, LocalizationNodeOptions(encoder_weights=Path("w"))) == LocalizeOptions(
        encoder_weights=Path("w")
    )


def test_what_users_of_earlier_parameter_files_had_is_what_they_have():
    options = from_plain(MappingNodeOptions, {"steps": 0, "landmarks": -1, "seconds": 0.0, "encoder_weights": ""})
    assert options == MappingNodeOptions() and part(MapOptions, options) == MapOptions()
    assert KeyframeOptions() == KeyframeOptions(0.02, 2.0)
    gate = GateOptions()
    assert (gate.odom_heading_drift, gate.gate_rotation_floor) == (1.0, 1.0)  # degrees
