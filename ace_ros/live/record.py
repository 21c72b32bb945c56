"""What evaluation_node writes down, one JSON object a line, and how it is read again. No ROS here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ace_ros.errors import InputError
from ace_ros.evaluation.metrics import finite
from ace_ros.geometry import Matrix, pose_from_quaternion


class RecordWriter:
    """The file; it grows under another name beside its place.

    Raises:
        InputError: it can't be written.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._growing = path, growing(path)
        try:
            self._file = open(self._growing, "w", encoding="utf-8")  # noqa: SIM115 - closed by finish
        except OSError as error:
            raise InputError(f"{path}: can't be written ({error.strerror})") from None

    def write(self, kind: str, **fields: Any) -> None:
        """Add a line; of its values, floats that are not finite become null."""
        plain = {name: finite(value) if isinstance(value, float) else value for name, value in fields.items()}
        self._file.write(json.dumps({"kind": kind, **plain}, allow_nan=False) + "\n")
        self._file.flush()

    def finish(self, **counts: Any) -> None:
        """Add the last line and put the file in its place."""
        self.write("end", **counts)
        self._file.close()
        os.replace(self._growing, self._path)


def growing(path: Path) -> Path:
    """Where a record is while it is written."""
    return path.with_name(f"{path.name}.part")


@dataclass(frozen=True)
class Record:
    """What evaluation_node wrote down.

    Attributes:
        frames: status of each image that was worked on, by its stamp (ns). poses: published ones, map_from_frame with
            covariance. ages: seconds from an image to its pose, both seen by the recorder. transforms:
            map_from_camera as TF told it. counts: of the localizer, at the end; ``no_tf`` among them is why TF did not
            tell it of the last image of which it didn't.
    """

    frames: dict[int, dict[str, Any]]
    poses: dict[int, tuple[Matrix, Matrix]]
    ages: dict[int, float]
    transforms: dict[int, Matrix]
    counts: dict[str, Any]


def read_record(path: Path) -> Record:
    """Read what evaluation_node wrote.

    Raises:
        InputError: no such file, not complete, or something else.
    """
    record = Record({}, {}, {}, {}, {})
    try:
        for line in lines(path.read_text(encoding="utf-8")):
            kind = line["kind"]
            if kind == "frame":
                record.frames[line["stamp"]] = line
            elif kind in ("pose", "tf"):
                pose = pose_from_quaternion(line["position"], line["orientation"], f"{path}: {kind}")
                if kind == "tf":
                    record.transforms[line["stamp"]] = pose
                else:
                    record.poses[line["stamp"]] = pose, np.array(line["covariance"]).reshape(6, 6)
                    if line["age"] is not None:
                        record.ages[line["stamp"]] = line["age"]
            elif kind == "end":
                record.counts.update(line)
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a record of evaluation_node") from error
    if "received" not in record.counts:
        raise InputError(f"{path}: a record that was not completed: let evaluation_node end by itself, or by Ctrl-C")
    return record


def lines(text: str) -> Iterator[dict[str, Any]]:
    """The lines of a record that are whole."""
    for line in text[: text.rfind("\n") + 1].splitlines():
        yield json.loads(line)
