"""Dataclasses whose fields say what they may hold, so that one from a file is as sound as one made in code.

A field declares its reader once, ``steps: int = field(metadata=reads(whole(1, 1000)))``. It is asked whenever an object
is made: it turns what JSON or numpy gave into what the field holds, or refuses it by a sentence that names the field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import fields
from numbers import Integral, Real
from typing import Any, ClassVar, TypeVar

from ace_ros.errors import MapFileError

Reader = Callable[[str, Any], Any]  # name of the field and what it is to hold; returns what it holds
_SHOWN = 40  # characters of a value in a message
_NESTED = 3  # how deep the lists of free-form values may be
C = TypeVar("C", bound="Checked")


class Checked:
    """Base of the dataclasses. ``WHERE`` leads to their fields in messages, ``calibration.`` say."""

    WHERE: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for entry in fields(self):  # type: ignore[arg-type]
            value = entry.metadata["reader"](self.WHERE + entry.name, getattr(self, entry.name))
            object.__setattr__(self, entry.name, value)  # frozen

    @classmethod
    def from_json(cls: type[C], values: Any) -> C:
        """The object that JSON describes; keys that are not known are for a newer version.

        Raises:
            MapFileError: a field that is missing, or can't hold what it is given.
        """
        if not isinstance(values, dict):
            raise refusal(cls.WHERE.rstrip("."), "an object", values)
        entries = fields(cls)  # type: ignore[arg-type]
        for entry in entries:
            if entry.name not in values and not entry.metadata["later"]:
                raise MapFileError(f"header field {cls.WHERE}{entry.name}: is missing")
        return cls(**{entry.name: values[entry.name] for entry in entries if entry.name in values})


def reads(reader: Reader, later: bool = False) -> dict[str, Any]:
    """Metadata of a field; one that came ``later`` may be missing from older files, and holds its default then."""
    return {"reader": reader, "later": later}


def refusal(name: str, wanted: str, value: Any) -> MapFileError:
    """The error that names the field, what it wants, and what it got."""
    return MapFileError(f"header field {name}: must be {wanted}, it is {_told(value)}")


def number(least: float, most: float) -> Reader:
    """A finite number in [least, most], as float."""

    def read(name: str, value: Any) -> float:
        if not _is(Real, value) or not least <= value <= most:
            raise refusal(name, f"a number in [{least:g}, {most:g}]", value)
        return float(value)

    return read


def whole(least: int, most: int) -> Reader:
    """A whole number in [least, most]."""

    def read(name: str, value: Any) -> int:
        if not _is(Integral, value) or not least <= value <= most:
            raise refusal(name, f"a whole number in [{least}, {most}]", value)
        return int(value)

    return read


def flag(name: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise refusal(name, "true or false", value)
    return value


def text(least: int, most: int) -> Reader:
    """Printable text of so many characters."""

    def read(name: str, value: Any) -> str:
        if not isinstance(value, str) or not least <= len(value) <= most or not value.isprintable():
            raise refusal(name, f"printable text of {least} to {most} characters", value)
        return str(value)

    return read


def hexadecimal(count: int) -> Reader:
    """So many hexadecimal digits."""

    def read(name: str, value: Any) -> str:
        if not isinstance(value, str) or len(value) != count or not set(value) <= set("0123456789abcdef"):
            raise refusal(name, f"{count} hexadecimal digits", value)
        return str(value)

    return read


def one_of(*choices: str) -> Reader:
    """One of some words."""

    def read(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise refusal(name, " or ".join(choices), value)
        return value

    return read


def optional(reader: Reader) -> Reader:
    """As ``reader``, or nothing."""
    return lambda name, value: None if value is None else reader(name, value)


def several(count: int, reader: Reader) -> Reader:
    """A tuple of ``count`` values, each as ``reader`` has it."""

    def read(name: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)) or len(value) != count:
            raise refusal(name, f"a list of {count}", value)
        return tuple(reader(f"{name}[{index}]", item) for index, item in enumerate(value))

    return read


def listed(most: int, reader: Reader) -> Reader:
    """A tuple of at most ``most`` values, each as ``reader`` has it."""

    def read(name: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)) or len(value) > most:
            raise refusal(name, f"a list of at most {most}", value)
        return tuple(reader(f"{name}[{index}]", item) for index, item in enumerate(value))

    return read


def nested(kind: type[Checked]) -> Reader:
    """An object of that class, or the JSON of one."""
    return lambda _, value: value if isinstance(value, kind) else kind.from_json(value)


def free(entries: int, longest: int) -> Reader:
    """A dictionary for people to read: names with numbers, texts, truth values, nothing, and lists of such."""
    words = text(0, longest)

    def item(name: str, value: Any, depth: int = 0) -> Any:
        if isinstance(value, (list, tuple)) and depth < _NESTED and len(value) <= entries:
            return [item(f"{name}[{index}]", one, depth + 1) for index, one in enumerate(value)]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return words(name, value)
        if _is(Integral, value) and abs(value) < 2**63:
            return int(value)
        if _is(Real, value) and not _is(Integral, value) and math.isfinite(value):
            return float(value)
        raise refusal(name, "a finite number, a text, true, false, null, or a list of such", value)

    def read(name: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > entries:
            raise refusal(name, f"an object of at most {entries} entries", value)
        return {words(f"{name} (a name in it)", key): item(f"{name}.{key}", one) for key, one in value.items()}

    return read


def _is(kind: type, value: Any) -> bool:
    """Whether it is a number of that kind, of Python or numpy; true and false are none."""
    return isinstance(value, kind) and not isinstance(value, bool)


def _told(value: Any) -> str:
    """A value in a message, short, and of plain characters whatever it is."""
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    try:
        shown = json.dumps(value)
    except (TypeError, ValueError):  # nothing of JSON, or a number of too many digits
        shown = ascii(type(value).__name__)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
