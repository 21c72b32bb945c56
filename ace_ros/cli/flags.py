"""From the options of a command to its arguments: tyro parses, by what :mod:`ace_ros.options` declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import tyro
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

from ace_ros.options import REQUIRED, Option, Options, declared, option

Command = TypeVar("Command", bound=Options)

_BY_UNIT = {"s": "SECONDS", "pixels": "PIXELS"}
_BY_KIND: dict[type | None, str] = {int: "N", float: "X", str: "TEXT", Path: "PATH"}


def map_argument(default: Any = REQUIRED) -> Any:
    """The map of a command, told by its place."""
    return option(default, "Map file.", metavar="MAP", positional=True)


def recording_argument(text: str, default: Any = REQUIRED) -> Any:
    """The recording of a command, told by its place."""
    return option(default, text, metavar="RECORDING", positional=True)


def output_option(text: str, metavar: str) -> Any:
    """Where to write what a command makes."""
    return option(REQUIRED, text, metavar=metavar, short="-o")


def map_output_option() -> Any:
    """The map file of a command that makes one."""
    return output_option("Map file to write; one that is there is replaced once the new one is whole.", "MAP")


def metavar(one: Option) -> str:
    """What a value is called; empty for a switch, which has none."""
    if one.kind is bool:
        return ""
    return one.metavar or "|".join(one.choices) or _BY_UNIT.get(one.unit) or _BY_KIND[one.kind]


def parse(command: type[Command], program: str, arguments: Sequence[str]) -> Command:
    """What the arguments say.

    Raises:
        OptionError: a value that an option does not take.
        SystemExit: something that can't be understood; it is on stderr.
    """
    registry = ConstructorRegistry()
    registry.struct_rule(_rule)
    config = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)
    return tyro.cli(command, prog=program, args=list(arguments), config=config, registry=registry)


def _rule(info: StructTypeInfo) -> StructConstructorSpec | None:
    """How tyro is to read a dataclass of options."""
    if not (isinstance(info.type, type) and issubclass(info.type, Options)):
        return None
    types, known = get_type_hints(info.type), declared(info.type)
    arguments = []
    for entry in fields(info.type):
        default = tyro.MISSING_NONPROP if entry.default is MISSING else entry.default
        if entry.name in known:
            one = known[entry.name]
            arguments.append(StructFieldSpec(entry.name, _annotated(types[entry.name], one), default, one.text))
        else:
            arguments.append(StructFieldSpec(entry.name, types[entry.name], default))
    return StructConstructorSpec(info.type, tuple(arguments))


def _annotated(hint: Any, one: Option) -> Any:
    aliases = [one.short] if one.short else None
    hint = Annotated[hint, tyro.conf.arg(metavar=metavar(one) or None, aliases=aliases)]
    return Annotated[hint, tyro.conf.Positional] if one.positional else hint
