"""Writes ``CHANGELOG.rst``, which bloom reads (REP 132), from ``CHANGELOG.md``: ``make changelog``.

REP 132 knows versions and lists alone: the kinds of changes (Added, Fixed) become items with lists of their own.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSION = re.compile(r"## \[(?P<name>[^\]]+)\](?: - (?P<date>\S+))?$")


def as_rst(markdown: str, package: str = "ace_ros") -> str:
    """The changelog of a package in the words of REP 132."""
    title = f"Changelog for package {package}"
    lines = ["^" * len(title), title, "^" * len(title), ""]
    for line in markdown[markdown.index("\n## ") + 1 :].replace("`", "``").splitlines():
        if version := VERSION.match(line):
            title = f"{version['name']} ({version['date']})" if version["date"] else "Forthcoming"
            lines += [title, "-" * len(title)]
        elif line.startswith("### "):
            lines.append(f"* {line[4:]}")
        elif line.startswith("- "):
            lines.append(f"  * {line[2:]}")
        else:
            lines.append(f"  {line}" if line.startswith("  ") else line)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    (ROOT / "CHANGELOG.rst").write_text(as_rst((ROOT / "CHANGELOG.md").read_text()))
