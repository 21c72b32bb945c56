"""All that is looked at, in the order in which it is told."""

from __future__ import annotations

from collections.abc import Iterator

from ace_ros.doctor.finding import Finding
from ace_ros.doctor.libraries import libraries
from ace_ros.doctor.ros import ros
from ace_ros.doctor.torch_and_weights import cuda, weights
from ace_ros.doctor.workspace import building, python


def examine() -> Iterator[Finding]:
    """Findings as they are made, a few seconds in all, of which torch takes most."""
    for part in (python, ros, libraries, cuda, weights, building):
        yield from part()
