"""Write a recording as a rosbag2 bag: CompressedImage, CameraInfo, PoseStamped and /tf, at the times of its frames.

examples:
  ace bag room/ -o room_bag
  ace bag room/ -o room_bag --split train --storage sqlite3
  ros2 bag play room_bag --clock
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ace_ros.cli import interrupt
from ace_ros.cli.console import note, stdout
from ace_ros.cli.flags import output_option, recording_argument
from ace_ros.errors import InputError
from ace_ros.options import Options, option
from ace_ros.recordings import SplitOptions, open_recording, write_bag


@dataclass(frozen=True)
class Command(Options):
    recording: Path = recording_argument("Recording to write.")
    output: Path = output_option("Folder of the bag; it must not be there yet.", "FOLDER")
    split: Literal["train", "test", "all"] = option("all", "Which of its frames.")
    storage: Literal["mcap", "sqlite3"] = option("mcap", "File format of the bag.")
    reading: SplitOptions = field(default_factory=SplitOptions)

    def run(self) -> int:
        if self.output.exists():
            raise InputError(f"{self.output}: is there already; a bag is never overwritten: name another")
        scene = open_recording(self.recording, split=self.split, options=self.reading)
        for text in scene.notes:
            note(text)
        with interrupt.unwinding():
            left_out = write_bag(scene, self.output, storage=self.storage)
        for line in left_out.lines():
            note(line)
        stdout.print(f"{self.output}: {len(scene.frames) - len(left_out.names())} frames", soft_wrap=True)
        return 0
