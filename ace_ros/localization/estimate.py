"""What an image says about where it was taken, before anybody judges it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ace_ros.features.features import EncodedImage
from ace_ros.geometry import Matrix
from ace_ros.map.landmarks import Pairs

HEAD_COUNTS = 0.25  # of a landmark where poses are ranked, which is sharper and rarer; set by hand


@dataclass(frozen=True)
class Evidence:
    """What speaks for a pose.

    Attributes:
        contrast: standard deviation of the image's grey values. keypoints: found in it.
        head_asked: keypoints that the head was asked about.
        landmark_inliers, head_inliers: pairs of each witness that agree with the pose closely: chance
            scatters over its search radius, truth does not.
        matched: of the matches that were found before there was a pose, so many agree with it. Where landmarks are
            dense one is found near every keypoint, whatever the pose; with none to look around, chance finds few.
        has_landmarks: whether the map holds the second witness at all.
        coverage: fraction of the image's cells with an inlier. well_conditioned: a covariance exists.
        play: how far poses near this one lie from it that explain the image equally well: depths of the scene, degrees.
        slack: of the landmarks that agree with the pose, so many agree with one a twentieth of the depth beside it, and
            with one turned by 5 degrees about what is seen (:func:`ace_ros.localization.ambiguity.slack`).
        misfit: how far landmarks lie from where the pose makes them appear, as a multiple of what is usual in views of
            the map's own drive (medians); 0 where that is not known.
        patches: that fit where the pose makes them appear, of ``patches_asked`` that should be seen.
    """

    contrast: float
    keypoints: int
    head_asked: int = 0
    landmark_inliers: int = 0
    head_inliers: int = 0
    has_landmarks: bool = True
    coverage: float = 0.0
    well_conditioned: bool = False
    play: tuple[float, float] = (0.0, 0.0)
    matched: int = 0
    slack: tuple[float, float] = (0.0, 0.0)
    misfit: float = 0.0
    patches: int = 0
    patches_asked: int = 0

    @property
    def rank(self) -> float:
        """The best of several poses has most; what one is worth to believe, a trust model judges otherwise.

        A head is right or wrong alike for a hundred keypoints: as a multiple of chance it can outvote landmarks beside
        the true pose. Chosen by that, 10 of 150 queries in a room whose furniture was moved were wrong and sure; chosen
        by this, 8.
        """
        return self.landmark_inliers + self.patches + HEAD_COUNTS * self.head_inliers


@dataclass(frozen=True)
class Asked:
    """What the witnesses of one place said to an image before there was a pose: kept, it need not be asked again.

    Attributes:
        head_points: (H, 3) local frame, the head's for the first H keypoints.
        matches: of keypoints with landmarks, the likest first; where a prior led to the pose, those around it alone.
    """

    head_points: Matrix
    matches: Pairs


@dataclass(frozen=True)
class Estimate:
    """The best pose that was found, and both witnesses' evidence for it.

    Attributes:
        encoded: the image. evidence: also where no pose was found.
        map_from_camera: (4, 4) float64; None when there is none.
        information: (6, 6) at the pose, in the order and axes of :func:`ace_ros.geometry.pose_residual`, for the errors
            that the map's calibration expects of a pair; None with too few pairs.
        spread: (6, 6) covariance, likewise, of poses near this one that explain the image equally well.
        keypoint: (M,) index of the keypoint of each 2D-3D pair. points: (M, 3) map frame. inlier: (M,) bool.
        is_landmark: (M,) bool; the other points are the head's.
        errors: (M,) reprojection errors, pixels of the encoded image.
        patch_errors: (N,) likewise, of patches that fit near where the pose has them.
        candidates: 2D-3D pairs that might have agreed, two a keypoint at most.
        seconds: by stage, match and solve.
        asked: what it was made from.
    """

    encoded: EncodedImage
    evidence: Evidence
    seconds: dict[str, float]
    candidates: int
    map_from_camera: Matrix | None = None
    information: Matrix | None = None
    spread: Matrix = field(default_factory=lambda: np.zeros((6, 6)))
    keypoint: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    points: Matrix = field(default_factory=lambda: np.empty((0, 3)))
    inlier: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    is_landmark: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    errors: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    patch_errors: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    asked: Asked | None = None
