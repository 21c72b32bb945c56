"""Exact perspective pictures of textured parallelograms, anti-aliased, with depth.

Every surface is a plane, so its image is a homography of its texture, and one over its depth is
linear in the image: a warp and a comparison with the depth buffer draw it without approximation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.generated.surfaces import Surface
from ace_ros.generated.textures import Texture
from ace_ros.geometry import Matrix

_SAMPLES = 2  # a pixel's side, in samples
_NEAR = 0.02
_NOTHING = -1
_TIGHT = 1e-4
_MOST_TILES = 24  # a side


@dataclass
class _Part:
    """A tile of a surface, drawn at the sharpness that suits its distance."""

    texture: Texture
    smaller: dict[tuple[int, int], Texture]

    def reduced(self, right: int, down: int) -> Texture:
        """The texture at 1/2**right of its width and 1/2**down of its height."""
        key = (right, down)
        if key not in self.smaller:
            height, width = self.texture.shape[:2]
            size = (max(1, width >> right), max(1, height >> down))
            if size == (
                1,
                1,
            ):  # OpenCV 4.5.4 (Humble's) can't take a colour image of one pixel from NumPy 1.23 or later
                size = (2, 1)
            self.smaller[key] = cv2.resize(self.texture, size, interpolation=cv2.INTER_AREA)
        return self.smaller[key]


class Renderer:
    """Draws one set of surfaces from anywhere.

    Args:
        surfaces: what to draw; textures are copied.
        tile: longest side of a part that is drawn in one sharpness, units.
        near: what is closer is not drawn, units.
    """

    def __init__(self, surfaces: Sequence[Surface], tile: float = 1.0, near: float = _NEAR) -> None:
        self.near = near
        parts, frames, sided = [], [], []
        for surface in surfaces:
            for origin, right, down, texture in _tiles(surface, tile):
                frames.append((origin, right, down))
                parts.append(_Part(texture, {}))
                sided.append(surface.two_sided)
        self._parts = parts
        self._frames = np.array(frames)  # (N, 3, 3): origin, right, down
        self._two_sided = np.array(sided)
        origin, right, down = self._frames.transpose(1, 0, 2)
        self._corners = np.stack([origin, origin + right, origin + right + down, origin + down], axis=1)
        self._away = np.cross(right, down)

    @classmethod
    def joined(cls, renderers: Sequence[Renderer]) -> Renderer:
        """One that draws what all of these draw; their textures are shared."""
        whole = cls.__new__(cls)
        whole.near = min(each.near for each in renderers)
        whole._parts = [part for each in renderers for part in each._parts]
        for name in ("_frames", "_two_sided", "_corners", "_away"):
            setattr(whole, name, np.concatenate([getattr(each, name) for each in renderers]))
        return whole

    def render(
        self, camera: Camera, map_from_camera: Matrix, background: Texture | None = None
    ) -> tuple[Texture, NDArray[np.float32]]:
        """The image, uint8 (H, W, 3) RGB, and the depth along the optical axis, float32 (H, W), inf where nothing is.

        ``camera`` is a pinhole without distortion. ``background``, of twice the image's size, shows where nothing is.
        """
        fine = camera.resized(camera.width * _SAMPLES, camera.height * _SAMPLES)
        rotation, eye = map_from_camera[:3, :3], map_from_camera[:3, 3]
        shape = (fine.height, fine.width)
        inverse_depth = np.zeros(shape, np.float32)
        owner = np.full(shape, _NOTHING, np.int16)
        image = np.zeros((*shape, 3), np.uint8) if background is None else background.copy()
        corners = (self._corners - eye) @ rotation
        frames = (self._frames - np.array([eye, np.zeros(3), np.zeros(3)])) @ rotation
        normals = self._away @ rotation
        with np.errstate(divide="ignore", invalid="ignore"):  # seen from its edge, and then not drawn
            slopes = normals / (normals * frames[:, 0]).sum(axis=1, keepdims=True)
        drawn = []
        for index in self._visible(corners, eye, fine):
            area = _draw_depth(corners[index], slopes[index], fine, self.near, index, inverse_depth, owner)
            if area is not None:
                drawn.append((index, area))
        for index, area in drawn:
            _draw_texture(self._parts[index], frames[index], fine, index, area, owner, image)
        size = (camera.width, camera.height)
        empty = cv2.resize((owner == _NOTHING).astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
        depth = np.full(empty.shape, np.inf, np.float32)
        np.divide(1, cv2.resize(inverse_depth, size, interpolation=cv2.INTER_AREA), out=depth, where=~empty)
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA), depth

    def _visible(self, corners: Matrix, eye: Matrix, camera: Camera) -> list[int]:
        """Parts that may be seen, the nearest first."""
        facing = ((self._corners[:, 0] - eye) * self._away).sum(axis=1) > 0
        x, y, z = np.moveaxis(corners, 2, 0)
        left, right = -(camera.cx + 0.5) / camera.fx, (camera.width - 0.5 - camera.cx) / camera.fx
        top, bottom = -(camera.cy + 0.5) / camera.fy, (camera.height - 0.5 - camera.cy) / camera.fy
        outside = (
            (z < self.near).all(axis=1)
            | (x < left * z).all(axis=1)
            | (x > right * z).all(axis=1)
            | (y < top * z).all(axis=1)
            | (y > bottom * z).all(axis=1)
        )
        chosen = np.flatnonzero((facing | self._two_sided) & ~outside)
        return [int(index) for index in chosen[np.argsort(z[chosen].min(axis=1), kind="stable")]]


def _tiles(surface: Surface, tile: float) -> list[tuple[Matrix, Matrix, Matrix, Texture]]:
    height, width = surface.texture.shape[:2]
    columns, rows = (
        int(np.clip(np.ceil(np.linalg.norm(edge) / tile), 1, min(_MOST_TILES, pixels // 64 or 1)))
        for edge, pixels in ((surface.right, width), (surface.down, height))
    )
    xs = np.linspace(0, width, columns + 1).round().astype(int)
    ys = np.linspace(0, height, rows + 1).round().astype(int)
    return [
        (
            surface.origin + surface.right * (x0 / width) + surface.down * (y0 / height),
            surface.right * ((x1 - x0) / width),
            surface.down * ((y1 - y0) / height),
            np.ascontiguousarray(surface.texture[y0:y1, x0:x1]),
        )
        for x0, x1 in pairwise(xs)
        for y0, y1 in pairwise(ys)
    ]


def clipped(corners: Matrix, near: float) -> Matrix:
    """The part (M, 3) of a polygon (N, 3) in front of the near plane."""
    if corners[:, 2].min() >= near:
        return corners
    kept = []
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if a[2] >= near:
            kept.append(a)
        if (a[2] >= near) != (b[2] >= near):
            kept.append(a + (b - a) * (near - a[2]) / (b[2] - a[2]))
    return np.array(kept).reshape(-1, 3)


def _draw_depth(
    corners: Matrix,
    slope: Matrix,
    camera: Camera,
    near: float,
    index: int,
    inverse_depth: NDArray[np.float32],
    owner: NDArray[np.int16],
) -> tuple[int, int, int, int] | None:
    """Enter a part where it is nearest; the rectangle (left, top, right, bottom) that it may be seen in.

    ``slope`` (3,) gives 1/z = slope . (x, y, 1) at a normalised image point.
    """
    polygon = clipped(corners, near)
    if len(polygon) < 3:
        return None
    pixels = polygon[:, :2] / polygon[:, 2:] * (camera.fx, camera.fy) + (camera.cx, camera.cy)
    left, top = np.maximum(np.floor(pixels.min(axis=0)), 0).astype(int)
    limit = (camera.width, camera.height)
    right, bottom = np.minimum(np.ceil(pixels.max(axis=0)) + 1, limit).astype(int)
    if right <= left or bottom <= top:
        return None
    mask = _inside(pixels, left, top, right, bottom)
    across = slope[0] * (np.arange(left, right) - camera.cx) / camera.fx
    along = slope[1] * (np.arange(top, bottom) - camera.cy) / camera.fy + slope[2]
    here = np.add.outer(along.astype(np.float32), across.astype(np.float32))
    buffer = inverse_depth[top:bottom, left:right]
    nearer = cv2.bitwise_and(cv2.compare(here, buffer, cv2.CMP_GT), mask)
    if not cv2.countNonZero(nearer):
        return None
    cv2.copyTo(here, nearer, buffer)
    np.copyto(owner[top:bottom, left:right], index, where=nearer > 0)
    return int(left), int(top), int(right), int(bottom)


def _inside(polygon: Matrix, left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
    """Samples whose centres lie in a convex polygon (N, 2): non-zero; cv2.fillConvexPoly would add half a sample."""
    following = np.concatenate([polygon[1:], polygon[:1]])
    if polygon[:, 0] @ following[:, 1] < polygon[:, 1] @ following[:, 0]:  # seen from behind
        polygon, following = following, polygon
    rows = np.arange(top, bottom)
    first, last = np.full(len(rows), float(left)), np.full(len(rows), float(right - 1))
    for (x, y), (across, down) in zip(polygon.tolist(), (following - polygon).tolist(), strict=True):
        if abs(down) < 1e-9:
            continue  # the rectangle of the image that is looked at ends there
        border = x + (rows - y) * (across / down)
        if down < 0:
            np.maximum(first, border, out=first)
        else:
            np.minimum(last, border, out=last)
    # The tolerance keeps neighbours tight.
    first, last = (np.clip(limit, left - 1, right) for limit in (np.ceil(first - _TIGHT), np.floor(last + _TIGHT)))
    first, last = first.astype(np.int32), last.astype(np.int32)
    columns = np.arange(left, right, dtype=np.int32)
    return np.asarray((columns >= first[:, None]) & (columns <= last[:, None])).view(np.uint8)


def _draw_texture(
    part: _Part,
    frame: Matrix,
    camera: Camera,
    index: int,
    area: tuple[int, int, int, int],
    owner: NDArray[np.int16],
    image: Texture,
) -> None:
    left, top, right, bottom = area
    mask = cv2.inRange(owner[top:bottom, left:right], index, index)
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        return
    mask = mask[y : y + height, x : x + width]
    left, top = left + x, top + y
    # Image (x, y, 1) of a texture's (a, b, 1), both from 0 to 1: K [right down origin]; here its inverse is needed.
    unit = np.linalg.inv(camera.matrix @ np.stack([frame[1], frame[2], frame[0]], axis=1))
    rows, columns = part.texture.shape[:2]
    level = _levels(unit, (left + width / 2, top + height / 2), (columns, rows))
    texture = part.reduced(*level)
    rows, columns = texture.shape[:2]
    pixels = np.array([[columns, 0, -0.5], [0, rows, -0.5], [0, 0, 1]]) @ unit @ [[1, 0, left], [0, 1, top], [0, 0, 1]]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpPerspective(texture, pixels, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    cv2.copyTo(patch, mask, image[top : top + height, left : left + width])


def _levels(unit: Matrix, centre: tuple[float, float], size: tuple[int, int]) -> tuple[int, int]:
    """How often to halve a texture's width and height, so that a sample covers about one texel."""
    a, b, w = unit @ (*centre, 1.0)
    # Derivative of (a/w, b/w) by the sample's position; its rows belong to width and height.
    derivative = (unit[:2, :2] - np.outer((a / w, b / w), unit[2, :2])) / w
    texels = np.linalg.norm(derivative, axis=1) * size
    levels = np.clip(np.round(np.log2(np.maximum(texels, 1e-9)) - 0.2), 0, 8).astype(int)
    return int(levels[0]), int(levels[1])
