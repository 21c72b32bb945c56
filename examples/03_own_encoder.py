"""An encoder of your own: OpenCV's SIFT in the place of XFeat, in one file.

    python 03_own_encoder.py

What the rest of the package must know of an encoder stands in its profile. `register` makes it known to this process;
in the package itself an encoder is a file in ace_ros/features/ and a line in ace_ros/features/registry.py.
"""

import hashlib
from pathlib import Path
from runpy import run_path

import cv2
import numpy as np
import torch

from ace_ros import Localizer, MapOptions, Mapper, SceneMap, State, open_recording, pose_error
from ace_ros.features import Encoder, EncoderProfile, Features, Likeness, register, working_image
from ace_ros.image import Pixels

PROFILE = EncoderProfile(
    name="sift",
    dimensions=64,
    make=lambda device, short_side, weights: SiftEncoder(device, short_side),
    stride=1,
    multiple=2,
    likeness=Likeness(match=0.9, observe=0.85, merge=0.8, query=0.8),  # by eye: the cosines of matches and of others
    code_range=0.6,
)


class SiftEncoder(Encoder):
    """RootSIFT (Arandjelovic and Zisserman, CVPR 2012), centred and turned onto 64 of its 128 dimensions."""

    profile = PROFILE

    def __init__(self, device: torch.device, short_side: int) -> None:
        # There is no file of weights: what could change descriptors is OpenCV.
        super().__init__(device, short_side, hashlib.sha256(f"SIFT of OpenCV {cv2.__version__}".encode()).hexdigest())
        turned, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((128, 64)))
        self._onto = turned.astype(np.float32)

    def __call__(self, image: Pixels, count: int) -> Features:
        grey = working_image(image, self.short_side, PROFILE.multiple)
        found, descriptors = cv2.SIFT_create(contrastThreshold=0.01).detectAndCompute(grey, None)
        places: dict[tuple[int, int], int] = {}  # of keypoints at one place with several orientations one is kept
        for index, keypoint in enumerate(found):
            places.setdefault((round(keypoint.pt[0]), round(keypoint.pt[1])), index)
        order = sorted(places.values(), key=lambda i: -found[i].response)[:count]
        if not order:
            return Features(torch.zeros(0, 64), torch.zeros(0, 2), torch.zeros(0))
        rows = descriptors[order]
        root = np.sqrt(rows / np.maximum(rows.sum(1, keepdims=True), 1e-9))
        rows = (root - 128**-0.5) @ self._onto
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        scale = image.shape[1] / grey.shape[1], image.shape[0] / grey.shape[0]
        pixels = (np.array([found[i].pt for i in order]) + 0.5) * scale - 0.5
        scores = np.array([found[i].response for i in order])
        tensors = (torch.from_numpy(np.asarray(t, np.float32)).to(self.device) for t in (rows, pixels, scores))
        return Features(*tensors)


def main() -> None:
    register(PROFILE)
    first = run_path(str(Path(__file__).with_name("01_map.py")))
    room, path = first["generated_room"](), first["FOLDER"] / "sift.safetensors"

    mapper = Mapper(MapOptions(encoder="sift", steps=200))
    for frame in open_recording(room, "train").frames:
        mapper.add(frame.read(), frame.camera, frame.map_from_camera, frame.name)
    mapper.build().save(path)

    localizer = Localizer(SceneMap.load(path))
    frames = open_recording(room, "test").frames
    answers = [(localizer.localize(frame.read(), frame.camera), frame.map_from_camera) for frame in frames]
    found = [pose_error(a.map_from_camera, truth) for a, truth in answers if a.state is State.LOCALIZED]
    distance, angle = np.median(found, axis=0)
    print(f"SIFT: {len(found)} of {len(frames)} localized; median error {100 * distance:.2f} cm, {angle:.3f} degrees")


if __name__ == "__main__":
    main()
