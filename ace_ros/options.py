"""Options: each is declared once, as a field of a dataclass, with its default, text, unit and range.

What is shown or checked elsewhere comes from here: the flags and the help of the ``ace`` command (``cli/flags.py``,
``cli/help.py``), the ROS parameters with their descriptors (``nodes/parameters.py``), and the files in ``config/``
(``nodes/config.py``). Units are those that people use, such as degrees; what computes in others converts them there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from numbers import Integral, Real
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ace_ros.errors import InputError

REQUIRED: Any = MISSING  # as the default: there is none
T = TypeVar("T", bound="Options")

_KINDS: dict[Any, str] = {
    bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a path",
}  # fmt: skip


class OptionError(InputError):
    """A value that an option does not take. ``name`` is the option, ``problem`` the sentence without it."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name, self.problem = name, problem


def option(
    default: Any,
    text: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    without: str = "",
    stand_in: float | None = None,
    metavar: str = "",
    short: str = "",
    positional: bool = False,
) -> Any:
    """Declare an option, as a field of a subclass of :class:`Options`.

    The field's type may be bool, int, float, str, Path or a Literal of texts (the choices), each also ``| None``.

    Args:
        default: or :data:`REQUIRED`.
        text: a sentence that says what the option does.
        low, high: the least and the greatest value that it takes.
        without: what holds where the default is empty or None.
        stand_in: a value that means the default in a ROS parameter, which may be out of range.
        metavar: on the command line, what to call a value; usually made of unit and type.
        short: on the command line, another name of one letter, with its dash.
        positional: on the command line, told by its place instead of a flag.
    """
    metadata = dict(
        text=text, unit=unit, low=low, high=high, without=without, stand_in=stand_in,
        metavar=metavar, short=short, positional=positional,
    )  # fmt: skip
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Option:
    """A declaration to be read: what was given to :func:`option`, with the name and what the type says.

    Attributes:
        kind: bool, int, float, str or Path; None for a type that only the command line knows, which it checks itself.
        optional: whether the type has None.
        choices: empty where every value of the type is one.
    """

    name: str
    kind: type | None
    optional: bool
    choices: tuple[str, ...]
    default: Any
    text: str
    unit: str
    low: float | None
    high: float | None
    without: str
    stand_in: float | None
    metavar: str
    short: str
    positional: bool

    @property
    def range(self) -> str:
        """In words, without the unit; empty where there is none."""
        if self.low is None:
            return "" if self.high is None else f"{self.high:g} or less"
        return f"{self.low:g} or more" if self.high is None else f"{self.low:g} to {self.high:g}"

    @property
    def hint(self) -> str:
        """Unit, range, and choices where the text does not name them, in brackets; empty where there are none."""
        choices = "" if all(choice in self.text for choice in self.choices) else " | ".join(self.choices)
        known = ", ".join(filter(None, (self.unit, self.range, choices)))
        return f"[{known}]" if known else ""

    @property
    def plain_default(self) -> bool | int | float | str:
        """The default where there is no None and no Path, in ROS parameters and YAML: "" or 0 then."""
        if self.default is not None:
            return str(self.default) if self.kind is Path else self.default
        assert self.kind is not None, f"{self.name} can't be a ROS parameter"
        return "" if self.kind is Path else self.kind()

    @property
    def plain_text(self) -> str:
        """The text as whoever sets a ROS parameter needs it: with what the empty default means."""
        empty = "0" if self.kind in (int, float) else "empty"
        return f"{self.text.removesuffix('.')}; {empty}: {self.without}." if self.without else self.text

    def from_plain(self, value: Any) -> Any:
        """The value that a ROS parameter or YAML gives.

        Raises:
            OptionError: see :meth:`check`.
        """
        if type(value) is not bool and value == self.stand_in:
            return self.default
        if type(value) is not bool and self.default is None and value == self.plain_default:
            return None
        return self.check(value)

    def check(self, value: Any) -> Any:
        """Return ``value`` in the type of the option, or say what is wrong with it.

        Raises:
            OptionError: another type (an int for a float, a text for a path are fine), out of range, or no choice.
        """
        if self.kind is None or (value is None and self.optional):
            return value
        found = _as(self.kind, value)
        if found is None:
            raise self._error(f"takes {_KINDS[self.kind]}, got {value!r}")
        if self.choices and found not in self.choices:
            raise self._error(f"takes one of {', '.join(self.choices)}, got '{found}'")
        # `not >=` instead of `<`, for NaN
        if (self.low is not None and not found >= self.low) or (self.high is not None and not found <= self.high):
            raise self._error(f"takes {self.range}, got {value!r}")
        return found

    def _error(self, problem: str) -> OptionError:
        unit = f", in {self.unit}" if self.unit else ""
        return OptionError(self.name, f"{problem} ({self.text.removesuffix('.')}{unit})")


def _as(kind: type, value: Any) -> Any:
    """``value`` as ``kind``; None where it is none. Numpy's numbers are numbers, and a text will do for a path."""
    if isinstance(value, bool) or kind is bool:
        return value if isinstance(value, bool) and kind is bool else None
    if kind is int:
        return int(value) if isinstance(value, Integral) else None
    if kind is float:
        return float(value) if isinstance(value, Real) else None
    if kind is Path and isinstance(value, (str, Path)):
        return Path(value).expanduser()
    return value if isinstance(value, kind) else None


@dataclass(frozen=True)
class Options:
    """Base of dataclasses of options: their values are checked, and brought into their types, when one is made.

    Raises:
        OptionError: a value that its option does not take.
    """

    def __post_init__(self) -> None:
        for name, one in declared(type(self)).items():
            object.__setattr__(self, name, one.check(getattr(self, name)))


def declared(cls: type[Options]) -> dict[str, Option]:
    """The options of ``cls`` by name; fields that are dataclasses of options themselves are not among them."""
    types = get_type_hints(cls)
    return {
        entry.name: Option(entry.name, *_type(types[entry.name]), default=entry.default, **entry.metadata)
        for entry in fields(cls)
        if "text" in entry.metadata
    }


def _type(hint: Any) -> tuple[type | None, bool, tuple[str, ...]]:
    """Kind, whether None is allowed, choices."""
    given = get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)
    inner = [one for one in given if one is not type(None)]
    optional = len(inner) < len(given)
    if len(inner) == 1 and get_origin(inner[0]) is Literal:
        return str, optional, get_args(inner[0])
    return (inner[0] if len(inner) == 1 and inner[0] in _KINDS else None), optional, ()


def title(cls: type[Options]) -> str:
    """What the options are about: the first sentence of the docstring."""
    return (cls.__doc__ or "").strip().split("\n")[0].split(". ")[0].rstrip(".")


def part(cls: type[T], whole: Options) -> T:
    """The options ``cls`` by the values that ``whole`` has under the same names; the others keep their defaults."""
    return cls(**{entry.name: getattr(whole, entry.name) for entry in fields(cls) if hasattr(whole, entry.name)})


def from_plain(cls: type[T], values: Mapping[str, object]) -> T:
    """Build the options ``cls`` from what ROS parameters or YAML give; what is not given keeps its default.

    Raises:
        OptionError: see :meth:`Option.check`; or a name that is no option.
    """
    known = declared(cls)
    for name in values:
        if name not in known:
            raise OptionError(name, f"there is no such parameter; there are {', '.join(known)}")
    return cls(**{name: known[name].from_plain(value) for name, value in values.items()})


def plain_defaults(cls: type[Options]) -> dict[str, Any]:
    """Names and default values of the options ``cls``, as ROS parameters and YAML have them."""
    return {name: one.plain_default for name, one in declared(cls).items()}


# Options that several parts of the package have.


def device_option() -> Any:
    """Where PyTorch computes."""
    return option("auto", "Where to compute: auto, cpu, cuda or cuda:N.", metavar="DEVICE")


def weights_option() -> Any:
    """File of the backbone's weights."""
    return option(
        None,
        "File of the backbone's weights, for maps made with those of a file (encoder ace:PATH).",
        without="those installed with the package",
        metavar="FILE",
    )


def replay_rate_option() -> Any:
    """How fast a recording is played."""
    return option(1.0, "Speed of the replay; 2 is twice as fast as recorded.", low=0.01, high=100.0)
