"""`ace COMMAND --help`: short lines, every option once, in words that people use."""

import importlib
import re
from dataclasses import fields

import pytest
from ace_command import ace_here

from ace_ros.cli import COMMANDS, help_text
from ace_ros.cli.help import flag
from ace_ros.options import REQUIRED, declared


def options_of(name):
    """All options of a command, those of its groups included."""
    command = importlib.import_module(f"ace_ros.cli.{name}_command").Command
    found, groups = [], [command]
    for group in groups:
        found += declared(group).values()
        groups += [entry.default_factory for entry in fields(group) if entry.name not in declared(group)]
    return found


def entries(text):
    """What the help says to each flag or argument: its own line and those below it that are indented further."""
    found = re.findall(r"^  (-o, )?(\S+)(?: \S+)*?(?:\s{2,}|\n\s{20,})((?:.+\n)(?:\s{20,}.+\n)*)", text, re.MULTILINE)
    return {name: " ".join(body.split()) for _, name, body in found}


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("name", COMMANDS)
def test_lines_fit_and_every_option_is_explained_with_its_default_once(name, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = ace_here(name, "--help").stdout
    assert max(map(len, text.splitlines())) <= columns
    assert "None" not in text and "SCENE" not in text
    said = entries(text)
    for one in options_of(name):
        body = said[one.metavar.split()[0] if one.positional else flag(one)]
        assert body.startswith(" ".join(one.text.split())[:30]), (one.name, body)
        assert body.count("default") <= 1, body
        if isinstance(one.default, int | float) and not isinstance(one.default, bool):
            assert re.search(rf"\(default: {one.default:g}( {one.unit})?[;)]", body), (one.name, body)
        assert ("(required)" in body) == (one.default is REQUIRED and not one.positional)


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("map", "usage: ace map RECORDING -o MAP [OPTIONS]"),
        ("evaluate", "usage: ace evaluate MAP RECORDING [OPTIONS]\n       ace evaluate --compare JSON JSON..."),
        ("localize", "usage: ace localize MAP IMAGE... --camera CAMERA [OPTIONS]"),
        ("compare", "usage: ace compare JSON JSON...\n"),
        ("info", "usage: ace info MAP [OPTIONS]"),
        ("extend", "usage: ace extend MAP RECORDING -o MAP [OPTIONS]"),
        ("repair", "usage: ace repair MAP RECORDING -o MAP [OPTIONS]"),
        ("align", "usage: ace align MAP RECORDING [OPTIONS]"),
        ("merge", "usage: ace merge MAP... -o MAP [OPTIONS]"),
        ("prune", "usage: ace prune MAP -o MAP [OPTIONS]"),
        ("export", "usage: ace export MAP [RECORDING] --ply FILE [OPTIONS]\n       ace export MAP --ace FILE"),
        ("import", "usage: ace import HEAD -o MAP --encoder ace:PATH [OPTIONS]"),
        ("bag", "usage: ace bag RECORDING -o FOLDER [OPTIONS]"),
        ("doctor", "usage: ace doctor\n"),
    ],
)
def test_usage_says_what_to_give(name, usage):
    assert ace_here(name, "--help").stdout.startswith(usage)
    assert ace_here(name, "-h").stdout == ace_here(name, "--help").stdout


def test_the_list_of_commands_fits():
    assert max(map(len, help_text().splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("map", "room", "-o", "m", "--image-size", "64"), "--image-size: takes 128 or more, got 64"),
        (("evaluate", "m", "room", "--ros-domain", "300"), "--ros-domain: takes 0 to 232, got 300"),
        (("export", "m", "room", "--ply", "p", "--frames", "0"), "--frames: takes 1 or more, got 0"),
    ],
)
def test_values_out_of_range_are_told_by_flag(arguments, said):
    done = ace_here(*arguments)
    assert done.returncode == 1 and done.stderr.startswith(f"ace: {said}")


def test_what_is_wrong_is_told_with_the_names_of_the_help(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    said = ace_here("map").stderr
    assert "RECORDING" in said and "-o MAP" in said and "None" not in said
