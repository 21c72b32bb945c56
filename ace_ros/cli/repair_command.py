"""Bring a map up to date with a newer recording of what it knows, where things were moved.

What the recording's frames see through again and again and never find is forgotten, what is new is learnt, and what is
only hidden for now stays. Places that it does not show stay bit for bit as they were; frames that are of no place teach
nothing here ('ace extend' makes places of them). MAP itself stays too, unless -o names it.

examples:
  ace repair hall.safetensors today/ -o hall2.safetensors
  ace repair hall.safetensors drive.mcap -o hall.safetensors \\
      --alignment alignment.json
"""

from __future__ import annotations

from dataclasses import dataclass

from ace_ros.cli.console import note, stdout
from ace_ros.cli.growing import Change, told
from ace_ros.growing.repairing import repair


@dataclass(frozen=True)
class Command(Change):
    def run(self) -> int:
        newcomers, scene = self.prepared()
        with told() as show:
            grown = repair(newcomers, scene.name, show)
        if grown.few:
            note(f"{grown.few} frames are of no place of the map, or too few of theirs, and taught nothing")
        for number, added in grown.touched.items():
            lost = grown.forgotten[number]
            stdout.print(f"place {number}: {lost} landmarks forgotten, {added} learnt", soft_wrap=True)
        self.finish(grown, newcomers)
        return 0
