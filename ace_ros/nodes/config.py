"""Write the parameter files in config/ from the options' declarations: python -m ace_ros.nodes.config [FOLDER].

It needs no ROS, so it runs in a fresh checkout.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

from ace_ros.nodes.options import LocalizationNodeOptions, MappingNodeOptions
from ace_ros.options import Option, Options, declared, title
from ace_ros.web.options import WebOptions

#: file -> options, node and launch file that take it
FILES: dict[str, tuple[type[Options], str, str]] = {
    "mapping.yaml": (MappingNodeOptions, "mapping_node", "map.launch.py"),
    "localization.yaml": (LocalizationNodeOptions, "localization_node", "localize.launch.py"),
    "web.yaml": (WebOptions, "web_node", "web.launch.py"),
}
_HEADER = """\
# Parameters of {node} with their defaults; `ros2 param describe` shows ranges.
# Copy this file, change what you need, and give it as params_file:=... to {launch}.
# (`make config` writes it from the declarations in ace_ros.)

/**:
  ros__parameters:
"""
_INDENT = " " * 4
_WIDTH = 118
_UNBROKEN = "\u00a0"  # a space where no line ends


def text(file: str) -> str:
    """The content of one of :data:`FILES`: a group for each base class, a comment for each parameter."""
    cls, node, launch = FILES[file]
    return _HEADER.format(node=node, launch=launch) + "\n".join(_group(base) for base in cls.__bases__)


def _group(cls: type[Any]) -> str:
    lines = [f"{_INDENT}# --- {title(cls)} ---"]
    for one in declared(cls).values():
        lines += _comment(one)
        lines.append(f"{_INDENT}{one.name}: {_yaml(one.plain_default)}")
    return "\n".join(lines) + "\n"


def _comment(one: Option) -> list[str]:
    hint = one.hint.replace(" ", _UNBROKEN)
    mark = f"{_INDENT}# "
    lines = textwrap.wrap(f"{one.plain_text} {hint}", _WIDTH, initial_indent=mark, subsequent_indent=mark)
    return [line.replace(_UNBROKEN, " ") for line in lines]


def _yaml(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def main(folder: Path) -> None:
    """Write all files."""
    for file in FILES:
        (folder / file).write_text(text(file), encoding="utf-8")
        print(folder / file)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "config"))
