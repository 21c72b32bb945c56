"""What ``ace COMMAND --help`` prints: usage, what the command does, its options by groups, examples."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import get_type_hints

from ace_ros.cli.flags import metavar
from ace_ros.options import Option, Options, declared, title

_COLUMN = 26  # where the texts begin
_WIDEST = 100
_SHORT = 30  # a remark up to here stays on one line
_UNBROKEN = "\u00a0"  # a space where no line ends


def command_help(program: str, command: type[Options], document: str, usage: str, columns: int) -> str:
    """The help of a command.

    Args:
        document: the command's description; its last paragraph begins with 'examples:'.
        usage: what follows the name of the program, a line for each way to call it; empty: made of what is required.
        columns: width of the terminal.
    """
    width = min(columns, _WIDEST)
    *paragraphs, examples = document.strip().split("\n\n")
    options = list(declared(command).values())
    usage = usage or " ".join([_call(one) for one in options if one.default is MISSING])
    if "\n" not in usage and any(one.default is not MISSING for one in options):
        usage += " [OPTIONS]"
    lines = [f"usage: {program} {usage}".rstrip().replace("\n", f"\n       {program} ")]
    for paragraph in paragraphs:
        lines += ["", textwrap.fill(paragraph, width)]
    arguments = [one for one in options if one.positional]
    if arguments:
        lines += ["", *_entries(arguments, width)]
    lines += ["", "options:", *_entries([one for one in options if not one.positional], width)]
    lines += _entry("-h, --help", "Show this text.", width)
    for group in _groups(command):
        lines += ["", f"{title(group)}:", *_entries(list(declared(group).values()), width)]
    return "\n".join([*lines, "", examples])


def _groups(command: type[Options]) -> Iterator[type[Options]]:
    """Dataclasses of options that ``command`` holds, at any depth."""
    types = get_type_hints(command)
    for entry in fields(command):
        hint = types[entry.name]
        if isinstance(hint, type) and issubclass(hint, Options):
            yield hint
            yield from _groups(hint)


def flag(one: Option) -> str:
    """The option as it is written on the command line."""
    return f"--{one.name.replace('_', '-')}"


def _call(one: Option) -> str:
    """How it stands in the usage."""
    return metavar(one) if one.positional else f"{one.short or flag(one)} {metavar(one)}"


def _entries(options: list[Option], width: int) -> Iterator[str]:
    for one in options:
        names = metavar(one) if one.positional else f"{one.short + ', ' if one.short else ''}{flag(one)} {metavar(one)}"
        yield from _entry(names.rstrip(), f"{one.text} {_remark(one)}".rstrip(), width)


def _entry(names: str, text: str, width: int) -> Iterator[str]:
    lines = [line.replace(_UNBROKEN, " ") for line in textwrap.wrap(text, width - _COLUMN)]
    if len(names) + 4 > _COLUMN:
        yield f"  {names}"
    else:
        yield f"  {names}".ljust(_COLUMN) + lines.pop(0)
    yield from (" " * _COLUMN + line for line in lines)


def _remark(one: Option) -> str:
    """The default, and a range that has two ends."""
    if one.default is MISSING:
        return "" if one.positional else "(required)"
    remarks = []
    if one.default in (None, "", 0) and one.without:
        remarks.append(f"default: {one.without}")
    elif one.default not in (None, "", ()) and one.kind is not bool:
        default = f"{one.default:g}" if isinstance(one.default, float) else str(one.default)
        remarks.append(f"default: {default} {one.unit}".rstrip())
    if one.high is not None:
        remarks.append(one.range)
    remark = f"({'; '.join(remarks)})" if remarks else ""
    return remark.replace(" ", _UNBROKEN) if len(remark) <= _SHORT else remark
