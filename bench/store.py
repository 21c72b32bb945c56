"""All rows that were ever measured here, the latest of each kind, in one JSON file."""

from __future__ import annotations

import json
import os
from pathlib import Path

from bench.measure import Row

RESULTS = Path(__file__).resolve().parent / "results"


def load(folder: Path = RESULTS) -> list[Row]:
    path = folder / "results.json"
    return json.loads(path.read_text()) if path.exists() else []


def add(row: Row, folder: Path = RESULTS) -> list[Row]:
    """Put a row in the place of the one that it repeats, or at the end; return all rows."""
    rows = [old for old in load(folder) if _identity(old) != _identity(row)] + [row]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    temporary = path.with_suffix(".tmp")
    # One row a line: a change of one measurement is a change of one line.
    temporary.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in rows) + "\n]\n")
    os.replace(temporary, path)
    return rows


def _identity(row: Row) -> str:
    return json.dumps([row["method"], row["scene"], row["settings"], row["threads"]], sort_keys=True)
