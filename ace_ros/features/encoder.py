"""What a scene-agnostic backbone is: an image in, keypoints with descriptors out. Never trained here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from ace_ros.features.features import EncodedImage, Features
from ace_ros.features.grey import check_image, working_size
from ace_ros.features.look import AS_IT_IS, Look
from ace_ros.features.picture import Picture
from ace_ros.image import Image, Pixels


@dataclass(frozen=True)
class Likeness:
    """How alike two descriptors must be, by their cosine, for what follows. The defaults are XFeat's, set by hand.

    Attributes:
        match: two keypoints of mapping views are matched. observe: a keypoint shows the landmark expected there.
        merge: two landmarks a few pixels apart are one. query: a keypoint of a query shows a landmark.
        vote: it does beyond doubt, and tells in which place.
    """

    match: float = 0.8
    observe: float = 0.75
    merge: float = 0.7
    query: float = 0.7
    vote: float = 0.85


USUAL_LIKENESS = Likeness()


@dataclass(frozen=True)
class EncoderProfile:
    """All that the rest of the package knows of a backbone.

    Attributes:
        name: in map files, and on the command line as NAME or NAME:PATH of its weights.
        dimensions: of a descriptor.
        stride: pixels of the encoded image between two cells of its finest map of descriptors; 1 where each keypoint
            is described by itself.
        multiple: the sides of the encoded image are multiples of it, pixels.
        has_keypoints: whether it answers with keypoints that can be matched by their unit descriptors, so that
            landmarks can be made of them, and not with cells of the image.
        likeness: of descriptors, where it has keypoints.
        lean: pixels by which all keypoints of an image may shift alike, which no number of them averages out.
        code_range: largest entry of a descriptor that a landmark's code can hold; larger ones are cut off.
        head_layout, head_width: of the heads that go with it (:class:`ace_ros.map.head.HeadShape`); None: any width.
        make: builds it from a device, the short side of its images in pixels, and its weights' file (None: packaged).
    """

    name: str
    dimensions: int
    make: Callable[[torch.device, int, Path | None], Encoder]
    stride: int = 8
    multiple: int = 32
    has_keypoints: bool = True
    likeness: Likeness = USUAL_LIKENESS
    lean: float = 0.0
    code_range: float = 0.5
    head_layout: str = "ours"
    head_width: int | None = None


class Encoder(ABC):
    """A backbone. A subclass names its profile and encodes pixels.

    Attributes:
        device: where it runs. short_side: images are reduced to it, pixels.
        enlarge: smaller ones are enlarged to it, at most so many times.
        sha256: fingerprint of its weights; a map is only good with the same.
    """

    profile: ClassVar[EncoderProfile]
    enlarge: float = 1.0

    def __init__(self, device: torch.device, short_side: int, sha256: str) -> None:
        self.device, self.short_side, self.sha256 = device, short_side, sha256

    @property
    def identity(self) -> str:
        """Its name in map files."""
        return self.profile.name

    @property
    def dimensions(self) -> int:
        """Of a descriptor."""
        return self.profile.dimensions

    @property
    def has_keypoints(self) -> bool:
        """As :attr:`EncoderProfile.has_keypoints`."""
        return self.profile.has_keypoints

    @abstractmethod
    def __call__(self, image: Pixels, count: int) -> Features:
        """At most ``count`` keypoints of an image, uint8 (H, W) or (H, W, 3) RGB, in its pixels."""

    def encode(self, image: Image, count: int, look: Look = AS_IT_IS) -> EncodedImage:
        """At most ``count`` keypoints of an image with its camera, each with a ray.

        Args:
            look: how it is held; the keypoints and their rays are those of the image as it was given.

        Raises:
            InputError: the image is too small.
        """
        grey, camera = check_image(image.pixels), image.camera
        given, multiple = (camera.width, camera.height), self.profile.multiple
        usual = working_size(*given, self.short_side, multiple)
        full = working_size(*given, self.short_side, multiple, self.enlarge)
        size = look.size(full, multiple)
        # At the size that the encoder takes by itself it is left to it.
        held = look.of(grey, None if size == usual else size)
        features = self(held, count)
        features = replace(features, pixels=look.back(features.pixels, held, *given))
        focal = camera.focal * float(np.sqrt(size[0] * size[1] / (camera.width * camera.height)))
        scale = float(np.sqrt(size[0] * size[1] / (full[0] * full[1])))
        picture = Picture(grey, camera, usual) if self.profile.has_keypoints else None
        return EncodedImage(features, camera, focal, float(grey[::4, ::4].std()), scale, picture).imaged()
