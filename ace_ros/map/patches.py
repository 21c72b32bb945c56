"""What landmarks look like close up: patches of grey values, laid onto an image where a pose makes them appear.

A keypoint tells where a landmark is to about a pixel, and only where it is detected again. A patch tells it to a tenth,
wherever it is seen: it is moved until it fits (Lucas and Kanade, IJCAI 1981), brightness and contrast left aside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.features.picture import Picture
from ace_ros.geometry import Matrix

SIDE = 8  # pixels: 64 bytes a landmark, and half as many again make poses no more exact
AREA = SIDE * SIDE
_AXIS = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
OFFSETS = np.stack(np.meshgrid(_AXIS, _AXIS), -1).reshape(AREA, 2)  # of a patch's pixels from its middle, x and y
AXIS = 127.0  # length of an axis, as int8
_ASIDE = np.cos(np.radians(35.0))  # from where a patch looks another way than it is kept; set by hand
_ZOOM = np.log(1.65)  # nearer or farther it has other details
_LEAST_CONTRAST = 3.0  # standard deviation of grey values: less is noise
# Along an edge a patch fits anywhere. Of slopes' two directions the lesser has so much of the greater; half of those in
# a hall have less, and with them up to 79 of 400 fitted at wrong poses, the edges of a ceiling, without them 28 of 169.
_CORNER = 0.1
_STEPS, _STEP, _STILL = 8, 1.5, 0.02  # of moving a patch: how many, the longest and the shortest, pixels
_DAMPING = 1e-3  # of both slopes together: along an edge a patch stays where it is


@dataclass(frozen=True)
class Patches:
    """A patch a landmark, as the mapping view that saw it best has it.

    Attributes:
        pixels: (L, 64) uint8, rows from top to bottom; all alike where a landmark has none.
        axes: (L, 2, 3) int8, along its rows and its columns, in axes of the map, times 127.
        spacing: (L,) float32, between two of its pixels on the landmark, units of the map.
    """

    pixels: NDArray[np.uint8]
    axes: NDArray[np.int8]
    spacing: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.pixels)

    @staticmethod
    def none(count: int) -> Patches:
        """Of landmarks that have none."""
        return Patches(np.zeros((count, AREA), np.uint8), np.zeros((count, 2, 3), np.int8), np.zeros(count, np.float32))

    def at(self, which: NDArray[np.integer] | NDArray[np.bool_] | slice) -> Patches:
        """Those of some landmarks."""
        return Patches(self.pixels[which], self.axes[which], self.spacing[which])

    def followed_by(self, others: Patches) -> Patches:
        """These, then others."""
        pixels, axes = np.concatenate([self.pixels, others.pixels]), np.concatenate([self.axes, others.axes])
        return Patches(pixels, axes, np.concatenate([self.spacing, others.spacing]))

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """(L,) which landmarks have one."""
        return np.asarray((self.spacing > 0) & (self.pixels.max(1, initial=0) > self.pixels.min(1, initial=255)))

    @cached_property
    def templates(self) -> NDArray[np.float32]:
        """(L, 64), each of mean zero and deviation one."""
        return normalised(self.pixels.astype(np.float32))[0]

    @cached_property
    def facing(self) -> NDArray[np.float32]:
        """(L, 3) unit, in the direction in which the view that saw it looked."""
        normal = np.cross(self.axes[:, 0].astype(np.float32), self.axes[:, 1].astype(np.float32))
        return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9), np.float32)


@dataclass(frozen=True)
class Laid:
    """Patches laid onto an image.

    Attributes:
        landmark: (N,) whose. pixels: (N, 2) of the picture, where each fits best, and shift: (N,) how far that is from
            where the pose has it. likeness: (N,) correlation of the grey values there, at most 1.
    """

    landmark: NDArray[np.int64]
    pixels: NDArray[np.float64]
    shift: NDArray[np.float64]
    likeness: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.landmark)


def normalised(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows (N, P) of mean zero and deviation one, and the deviations (N, 1) that they had."""
    values = values - values.mean(1, keepdims=True)
    deviation = np.sqrt(np.einsum("np,np->n", values, values) / max(1, values.shape[1]))[:, None]
    return values / np.maximum(deviation, 1e-3), deviation


def strides_of(axes: NDArray[np.int8], spacing: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N, 2, 3) from a pixel of patches to the next along rows and columns, units of the map."""
    return np.asarray(axes * (spacing[:, None, None] / AXIS), np.float64)


def visible(
    patches: Patches, points: NDArray[np.float32], picture: Picture, local_from_camera: Matrix, most: int
) -> NDArray[np.int64]:
    """The first ``most`` landmarks whose patches a picture shows as they are kept: from about there, as large.

    Args:
        points: (L, 3) of all landmarks, in the frame of the pose.
    """
    centre, turn = local_from_camera[:3, 3].astype(np.float32), local_from_camera[:3, :3]
    offsets = points - centre
    distance = np.maximum(np.linalg.norm(offsets, axis=1), 1e-9)
    aside = np.einsum("ni,ni->n", offsets, patches.facing) > _ASIDE * distance
    ahead = offsets @ turn[:, 2].astype(np.float32) > 0.1 * distance if picture.camera.model == "pinhole" else True
    some = np.nonzero(patches.known & aside & ahead)[0]
    pixels = picture.camera.project(offsets[some] @ turn)
    with np.errstate(invalid="ignore"):
        inside = within(pixels, picture)
        wide = np.abs(np.log(np.maximum(picture.camera.focal * patches.spacing[some] / distance[some], 1e-9)))
    return np.asarray(some[inside & (wide < _ZOOM)][:most], np.int64)


def telling(seen: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(N,) of which patches, by a picture's layers (N, 64, 3) there, it can be told where they are: corners of things,
    and what has many."""
    xx, xy, yy = _products(seen[..., 1], seen[..., 2])
    middle, half = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    corner = middle - half > _CORNER * (middle + half)
    return np.asarray(corner & (seen[..., 0].std(1) > _LEAST_CONTRAST))


def within(pixels: NDArray[np.float64], picture: Picture) -> NDArray[np.bool_]:
    """(N,) whether patches about pixels (N, 2) lie in the picture, with room to be moved."""
    with np.errstate(invalid="ignore"):
        inside = (pixels > SIDE) & (pixels < np.subtract(picture.grey.shape[::-1], SIDE + 1))
    return np.asarray(inside.all(1))


def grids(
    points: NDArray[np.float32], strides: NDArray[np.float64], camera: Camera, local_from_camera: Matrix
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Where a pose makes patches about points (N, 3) appear, by their :func:`strides_of` (N, 2, 3): pixels (N, 2) of
    their middles, and (N, 64, 2) of theirs, which are so few that they lie on a plane of the image."""
    middle = (points - local_from_camera[:3, 3]).astype(np.float64)
    reach = SIDE / 2 * strides
    ends = np.concatenate([middle, middle + reach[:, 0], middle + reach[:, 1]]) @ local_from_camera[:3, :3]
    start, right, down = camera.project(ends).reshape(3, -1, 2)
    along = np.stack([right - start, down - start], 1) / (SIDE / 2)
    return start, (start[:, None] + OFFSETS @ along).astype(np.float32)


def laid(
    patches: Patches,
    points: NDArray[np.float32],
    which: NDArray[np.int64],
    picture: Picture,
    local_from_camera: Matrix,
) -> Laid:
    """Lay the patches of landmarks ``which`` (N,) onto a picture where a pose makes them appear, and move each until it
    fits. Args: see :func:`visible`."""
    template = patches.templates[which]
    strides = strides_of(patches.axes[which], patches.spacing[which])
    start, grid = grids(points[which], strides, picture.camera, local_from_camera)
    shift = np.zeros((len(which), 1, 2), np.float32)
    for _ in range(_STEPS):
        step = _step(picture.at(grid + shift), template)
        shift += step[:, None]
        if not len(which) or np.percentile(np.abs(step), 90) < _STILL:
            break
    fits, _ = normalised(picture.at(grid + shift)[..., 0])
    likeness = np.einsum("np,np->n", fits, template) / AREA
    moved = shift[:, 0].astype(np.float64)
    return Laid(which, start + moved, np.linalg.norm(moved, axis=1), likeness)


def _step(seen: NDArray[np.float32], template: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 2) Gauss-Newton's, of layers (N, 64, 3) to templates (N, 64), both normalised."""
    grey, deviation = normalised(seen[..., 0])
    x, y = (slope - slope.mean(1, keepdims=True) for slope in (seen[..., 1], seen[..., 2]))
    missing = (template - grey) * deviation
    xx, xy, yy = _products(x, y)
    u, v = (np.einsum("np,np->n", slope, missing) for slope in (x, y))
    damping = _DAMPING * (xx + yy) + 1e-6
    xx, yy = xx + damping, yy + damping
    determinant = xx * yy - xy * xy
    step = np.stack([yy * u - xy * v, xx * v - xy * u], 1) / determinant[:, None]
    return np.asarray(np.clip(np.nan_to_num(step), -_STEP, _STEP), np.float32)


def _products(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """Sums (N,) of the slopes (N, P): x by x, x by y and y by y."""
    xx, xy, yy = (np.einsum("np,np->n", a, b) for a, b in ((x, x), (x, y), (y, y)))
    return xx, xy, yy
