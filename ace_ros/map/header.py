"""What a map says of itself: typed, and refused by the name of the field where it can't be so."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ace_ros.errors import MapFileError, MapVersionError
from ace_ros.map.fields import (
    Checked,
    flag,
    free,
    hexadecimal,
    listed,
    nested,
    number,
    optional,
    reads,
    refusal,
    several,
    text,
    whole,
)
from ace_ros.map.head import HeadShape

FORMAT_VERSION = 1
MANY_PLACES = 2  # the version of a map that lists the headers of several places
# Ranges are there for arithmetic to stay finite and memory bounded, not to tell likely values: all are set by hand.
FARTHEST = 1e12  # units of the map: a light hour in metres; squares fit into float32
_MOST = 10**9  # of anything that is counted
_MOST_PLACES = 100_000
_MOST_SOURCES = 10_000
_NAME = 255  # characters, as of a file's name
_POINT = several(3, number(-FARTHEST, FARTHEST))
_PIXELS = number(1e-3, 1e3)  # of a standard deviation


@dataclass(frozen=True)
class Calibration(Checked):
    """What held-back views taught about the map's own errors.

    Attributes:
        landmark_sigma, head_sigma: reprojection error of an inlier of each witness, pixels a coordinate.
        covariance_scale: factor on the inverse information matrix, so that with what
            :meth:`ace_ros.localization.trust.TrustModel.spread` adds the mean NEES becomes 6, or less where few views
            told.
        chance_landmarks: landmark inliers that a wrong pose collects by chance: hardly a decoy has more (their mean and
            two and a half standard deviations).
        chance_head: likewise the fraction of head predictions.
        landmark_weight: in [0, 1], how much the landmarks say about a pose on this map; the head has the rest.
        self_similar: landmark inliers of the best pose for a view of this place when all that it shows was taken out of
            the map (the most of several views); 0: not known.
        self_matched: likewise of matches found before there was a pose, as many as few such views reach (the mean and
            two standard deviations); 0: not known.
        led_scale: as ``covariance_scale``, of a pose that patches have led; 0: as that.
        patch_sigma: error of where a patch fits, pixels a coordinate.
        chance_patches: share of the patches that fit by chance, as high as it hardly is at a wrong pose, or half of
            what it is where nothing is left of what a view shows; 0: not known.
    """

    WHERE: ClassVar[str] = "calibration."

    landmark_sigma: float = field(default=0.8, metadata=reads(_PIXELS))
    head_sigma: float = field(default=4.0, metadata=reads(_PIXELS))
    covariance_scale: float = field(default=10.0, metadata=reads(number(1e-6, 1e9)))
    chance_landmarks: float = field(default=20.0, metadata=reads(number(1e-3, 1e6)))  # divides: not zero
    chance_head: float = field(default=0.03, metadata=reads(number(0, 1)))
    landmark_weight: float = field(default=0.5, metadata=reads(number(0, 1), later=True))
    self_similar: float = field(default=0.0, metadata=reads(number(0, 1e6), later=True))
    self_matched: float = field(default=0.0, metadata=reads(number(0, 1e6), later=True))
    led_scale: float = field(default=0.0, metadata=reads(number(0, 1e9), later=True))
    patch_sigma: float = field(default=0.3, metadata=reads(_PIXELS, later=True))
    chance_patches: float = field(default=0.0, metadata=reads(number(0, 1), later=True))


@dataclass(frozen=True)
class HeldBack(Checked):
    """Expected accuracy: held-back mapping views localized with the finished map.

    Attributes:
        frames: how many. localized: of these. median_translation: units of the map.
        median_rotation_deg: degrees. nees_mean: normalised error squared; 6 if covariances are right, less
            where few views taught them.
    """

    WHERE: ClassVar[str] = "held_back."

    frames: int = field(default=0, metadata=reads(whole(0, _MOST)))
    localized: int = field(default=0, metadata=reads(whole(0, _MOST)))
    median_translation: float | None = field(default=None, metadata=reads(optional(number(0, 2 * FARTHEST))))
    median_rotation_deg: float | None = field(default=None, metadata=reads(optional(number(0, 180))))
    nees_mean: float | None = field(default=None, metadata=reads(optional(number(0, 1e300))))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.localized > self.frames:
            raise refusal(f"{self.WHERE}localized", f"at most the {self.frames} of held_back.frames", self.localized)


@dataclass(frozen=True)
class Source(Checked):
    """A recording that a place was made of, or changed by.

    Attributes:
        name: of the recording; empty where it is not known. command: what was done with it, ``map`` or ``extend`` say.
        when: ISO 8601, UTC. frames: how many of it taught the place. held_back: how many calibrated it.
    """

    WHERE: ClassVar[str] = "sources."

    name: str = field(metadata=reads(text(0, _NAME)))
    command: str = field(metadata=reads(text(0, _NAME)))
    when: str = field(metadata=reads(text(0, _NAME)))
    frames: int = field(metadata=reads(whole(0, _MOST)))
    held_back: int = field(default=0, metadata=reads(whole(0, _MOST)))


@dataclass(frozen=True)
class MapHeader(Checked):
    """Everything about a place of a map but its numbers; a map of one place has no more to say. Making one checks it,
    whether from a file or in code.

    Attributes:
        encoder, encoder_sha256, encoder_size: backbone, its weights, the short side of its input in pixels.
        encoder_enlarge: images that are smaller are enlarged to it, at most so many times.
        head: shape of the head.
        origin: (3,) float64 of the local frame, in the map frame.
        median_depth: of the scene, units of the map; 1 in the head's unit frame. An imported head's is
            unknown, and written as 1.
        map_frame, metric: name of the frame; whether its unit is the metre.
        extent: least and greatest x, y, z of the mapping cameras, map frame.
        created: ISO 8601, UTC. frames: mapping views that were used, 0 for an imported head.
        training: steps, loss, inliers, landmarks, tracks, seconds a stage; for people to read.
        sources: the recordings that it came of, the first one first, as far as they were noted; see :attr:`history`.

    Raises:
        MapFileError: a field of another type or out of its range.
    """

    encoder: str = field(metadata=reads(text(1, _NAME)))
    encoder_sha256: str = field(metadata=reads(hexadecimal(64)))
    encoder_size: int = field(metadata=reads(whole(64, 2**20)))  # of the least image; OpenCV reads no larger ones
    head: HeadShape = field(metadata=reads(nested(HeadShape)))
    origin: tuple[float, float, float] = field(metadata=reads(_POINT))
    median_depth: float = field(metadata=reads(number(1e-9, 1e9)))
    map_frame: str = field(metadata=reads(text(0, _NAME)))
    metric: bool = field(metadata=reads(flag))
    extent: tuple[tuple[float, ...], tuple[float, ...]] = field(metadata=reads(several(2, _POINT)))
    created: str = field(metadata=reads(text(0, _NAME)))
    frames: int = field(metadata=reads(whole(0, _MOST)))
    training: dict[str, Any] = field(default_factory=dict, metadata=reads(free(1000, 1000)))
    held_back: HeldBack = field(default=HeldBack(), metadata=reads(nested(HeldBack)))
    calibration: Calibration = field(default=Calibration(), metadata=reads(nested(Calibration)))
    format_version: int = field(default=FORMAT_VERSION, metadata=reads(whole(1, _MOST)))
    encoder_enlarge: float = field(default=1.0, metadata=reads(number(1, 16), later=True))
    sources: tuple[Source, ...] = field(default=(), metadata=reads(listed(_MOST_SOURCES, nested(Source)), later=True))

    @property
    def history(self) -> tuple[Source, ...]:
        """The recordings that it came of: what a map that noted none was mapped from has no name."""
        return self.sources or (Source("", "map", self.created, self.frames, self.held_back.frames),)

    def __post_init__(self) -> None:
        super().__post_init__()
        for axis, (low, high) in enumerate(zip(*self.extent, strict=True)):
            if low > high:
                raise refusal(f"extent[1][{axis}]", f"at least the {low:g} of extent[0][{axis}]", high)


def parse_headers(content: str) -> tuple[MapHeader, ...]:
    """The headers of all places as a map file has them, JSON.

    Raises:
        MapVersionError: of another version. MapFileError: no JSON, or a field that can't be so.
    """
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise MapFileError("the header is no JSON object")
    version = FORMAT_VERSION
    if "format_version" in values:  # another version may have other fields
        version = whole(1, _MOST)("format_version", values["format_version"])
    if version == FORMAT_VERSION:
        return (MapHeader.from_json(values),)
    if version != MANY_PLACES:
        raise MapVersionError(
            f"the map has format version {version}, this ace_ros reads versions {FORMAT_VERSION} and {MANY_PLACES}; "
            "map again, or use the ace_ros that wrote it"
        )
    listed = values.get("places")
    if not isinstance(listed, list) or not 0 < len(listed) <= _MOST_PLACES:
        raise refusal("places", f"a list of 1 to {_MOST_PLACES} headers", listed)
    headers = []
    for index, one in enumerate(listed):
        try:
            headers.append(MapHeader.from_json(one))
        except MapFileError as error:
            raise MapFileError(f"place {index}: {error}") from None
    return tuple(headers)
