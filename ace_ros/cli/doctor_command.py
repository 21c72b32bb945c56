"""Look for what is missing or does not fit here: Python, ROS, libraries, GPU, the encoder's weights.

Prints versions and, for each fault, the command that mends it. The exit code is 1 if something is broken. Works where
numpy, torch or OpenCV are missing. 'ros2 run ace_ros doctor' looks at the Python that the nodes run by.

examples:
  ace doctor && echo nothing is broken
  ros2 run ace_ros doctor
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ace_ros import __version__
from ace_ros.doctor.examination import examine
from ace_ros.doctor.finding import Verdict
from ace_ros.options import Options


@dataclass(frozen=True)
class Command(Options):
    def run(self) -> int:
        print(f"{'':<8} ace_ros {__version__}")
        seen: Counter[Verdict] = Counter()
        for verdict, text, remedy in examine():
            seen[verdict] += 1
            print(f"{verdict.value:<8} {text}", flush=True)
            if remedy:
                print(f"{'':<8}   -> {remedy}", flush=True)
        print(f"{'':<8} {seen[Verdict.BROKEN]} broken, {seen[Verdict.WARNING]} warnings")
        return 1 if seen[Verdict.BROKEN] else 0


def main() -> int:
    """``ros2 run ace_ros doctor``."""
    return Command().run()
