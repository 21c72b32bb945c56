"""One image in, a pose out, and a word on whether to trust it.

    python 02_localize.py [MAP RECORDING]

Without arguments: the map that 01_map.py leaves, and the queries of its room.
"""

import runpy
import sys
from pathlib import Path

import numpy as np

from ace_ros import Localizer, SceneMap, State, open_recording, pose_error

FIRST = runpy.run_path(str(Path(__file__).with_name("01_map.py")))


def main() -> None:
    if len(sys.argv) > 2:
        path, recording = Path(sys.argv[1]), Path(sys.argv[2])
    else:
        path, recording = FIRST["FOLDER"] / "room.safetensors", FIRST["generated_room"]()
        if not path.exists():
            FIRST["main"]()

    localizer = Localizer(SceneMap.load(path))
    errors = []
    for frame in open_recording(recording, "test").frames:
        answer = localizer.localize(frame.read(), frame.camera)
        if answer.state is not State.LOCALIZED:  # honest: better no pose than a wrong one
            print(f"{frame.name}: {answer.state.name}, {answer.reason}")
            continue
        assert answer.map_from_camera is not None and answer.covariance is not None
        position, sigma = answer.map_from_camera[:3, 3], np.sqrt(np.diag(answer.covariance)[:3])
        print(f"{frame.name}: at {np.round(position, 3)}, one sigma {np.round(sigma, 4)}, {answer.inliers} inliers")
        if frame.map_from_camera is not None:
            errors.append(pose_error(answer.map_from_camera, frame.map_from_camera))
    if errors:
        distance, angle = np.median(errors, axis=0)
        print(f"{len(errors)} localized; median error {distance:.4f} (units of the map), {angle:.3f} degrees")


if __name__ == "__main__":
    main()
