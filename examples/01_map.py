"""Posed images in, one small file out.

    python 01_map.py [RECORDING [MAP]]

RECORDING is a folder in the layout of ACE, nerfstudio, COLMAP or TUM RGB-D, or a rosbag2 bag. Without one, a small room
is rendered into the folder for temporary files, and mapped.
"""

import sys
import tempfile
from pathlib import Path

from ace_ros import InputError, MapOptions, Mapper, open_recording
from ace_ros.generated import make_room

FOLDER = Path(tempfile.gettempdir()) / "ace_ros_examples"


def generated_room() -> Path:
    folder = FOLDER / "room"
    if not folder.exists():
        FOLDER.mkdir(exist_ok=True)
        make_room(folder, train=60, test=20, size=(320, 240))
    return folder


def main() -> None:
    given = dict(enumerate(sys.argv[1:]))
    recording = open_recording(given.get(0) or generated_room(), "train")  # frames kept for queries are not mapped
    path = Path(given.get(1) or FOLDER / "room.safetensors")

    mapper = Mapper(MapOptions(steps=200), recording.map_frame, recording.metric)  # 1,000 steps are usual
    for frame in recording.frames:
        if frame.map_from_camera is None:
            continue
        try:
            mapper.add(frame.read(), frame.camera, frame.map_from_camera, frame.name)
        except InputError as error:  # a damaged image, say: the others are mapped
            print(f"left out: {error}")

    scene_map = mapper.build(progress=lambda p: print(f"\r{p.stage} {p.done} of {p.total}   ", end="", flush=True))
    size = scene_map.save(path)
    print(f"\n{path}: {size / 1e6:.2f} MB\n{scene_map.describe()}")


if __name__ == "__main__":
    main()
