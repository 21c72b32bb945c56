"""The map: a trained head and landmarks, in one safetensors file with a JSON header."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray

from ace_ros.errors import MapFileError, MapVersionError
from ace_ros.map.head import Head, HeadShape, make_head

FORMAT_VERSION = 1
_FORMAT = "ace_ros map"


@dataclass(frozen=True)
class Calibration:
    """What held-back views taught about the map's own errors.

    Attributes:
        landmark_sigma, head_sigma: reprojection error of an inlier of each witness, pixels a coordinate.
        covariance_scale: factor on the inverse information matrix, so that with the floor of
            :func:`ace_ros.localization.solver.shift_covariance` the mean NEES becomes 6.
        chance_landmarks: landmark inliers that a wrong pose collects by chance (the most that decoys had).
        chance_head: likewise the fraction of head predictions.
        landmark_weight: in [0, 1], how much the landmarks say about a pose on this map; the head has the rest.
    """

    landmark_sigma: float = 0.8
    head_sigma: float = 4.0
    covariance_scale: float = 10.0
    chance_landmarks: float = 20.0
    chance_head: float = 0.03
    landmark_weight: float = 0.5


@dataclass(frozen=True)
class HeldBack:
    """Expected accuracy: held-back mapping views localized with the finished map.

    Attributes:
        frames: how many. localized: of these. median_translation: units of the map.
        median_rotation_deg: degrees. nees_mean: normalised error squared, 6 if covariances are right.
    """

    frames: int = 0
    localized: int = 0
    median_translation: float | None = None
    median_rotation_deg: float | None = None
    nees_mean: float | None = None


@dataclass(frozen=True)
class MapHeader:
    """Everything about a map but its numbers.

    Attributes:
        encoder, encoder_sha256, encoder_size: backbone, its weights, the short side of its input in pixels.
        head: shape of the head.
        origin: (3,) float64 of the local frame, in the map frame.
        median_depth: of the scene, units of the map; 1 in the head's unit frame. An imported head's is
            unknown, and written as 1.
        map_frame, metric: name of the frame; whether its unit is the metre.
        extent: least and greatest x, y, z of the mapping cameras, map frame.
        created: ISO 8601, UTC. frames: mapping views that were used, 0 for an imported head.
        training: steps, loss, inliers, landmarks, tracks, seconds a stage.
    """

    encoder: str
    encoder_sha256: str
    encoder_size: int
    head: HeadShape
    origin: tuple[float, float, float]
    median_depth: float
    map_frame: str
    metric: bool
    extent: tuple[tuple[float, ...], tuple[float, ...]]
    created: str
    frames: int
    training: dict[str, Any] = field(default_factory=dict)
    held_back: HeldBack = HeldBack()
    calibration: Calibration = Calibration()
    format_version: int = FORMAT_VERSION


@dataclass(frozen=True)
class SceneMap:
    """A map in memory.

    Attributes:
        header: see :class:`MapHeader`. head: on the CPU, float32.
        points: (L, 3) float32 landmarks in the local frame. codes: (L, D) int8 descriptors.
    """

    header: MapHeader
    head: Head
    points: NDArray[np.float32]
    codes: NDArray[np.int8]

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the map, whole or not at all; an older file of that name stays until the new one is complete.

        Returns:
            Size of the file, bytes.

        Raises:
            MapFileError: the folder is missing, read-only or full.
        """
        path = Path(path)
        tensors = {f"head.{name}": value.half().contiguous() for name, value in self.head.state_dict().items()}
        tensors["landmarks.points"] = torch.from_numpy(self.points).contiguous()
        tensors["landmarks.codes"] = torch.from_numpy(self.codes).contiguous()
        metadata = {"format": _FORMAT, "header": json.dumps(asdict(self.header))}
        data = safetensors.torch.save(tensors, metadata)
        temporary = None
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
                temporary = file.name
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, path)
            temporary = None
        except OSError as error:
            raise MapFileError(f"{path}: could not be written ({error.strerror}); nothing was changed") from None
        finally:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
        return len(data)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> SceneMap:
        """Read a map.

        Raises:
            MapFileError: missing, truncated or not a map. MapVersionError: of another format version.
        """
        path = Path(path)
        header, tensors = _read(path)
        try:
            head = make_head(header.head)
            state = {k.removeprefix("head."): v.float() for k, v in tensors.items() if k.startswith("head.")}
            head.load_state_dict(state)
            points = tensors["landmarks.points"].numpy()
            codes = tensors["landmarks.codes"].numpy()
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise MapFileError(f"{path}: the file does not hold what its header says ({reason}); map again") from None
        if codes.shape != (len(points), header.head.dimensions) or codes.dtype != np.int8:
            raise MapFileError(f"{path}: the descriptors of its landmarks are damaged; map again")
        if points.shape != (len(codes), 3) or not np.isfinite(points).all():
            raise MapFileError(f"{path}: its landmarks are damaged; map again")
        if not all(bool(value.isfinite().all()) for value in state.values()):
            raise MapFileError(f"{path}: its head holds values that are not finite; map again")
        head.requires_grad_(False).eval()
        return SceneMap(header, head, points, codes)

    def describe(self) -> str:
        """The header as lines for a person."""
        return describe(self.header, len(self.points))


def describe(header: MapHeader, landmarks: int) -> str:
    """The header as lines for a person."""
    unit = "m" if header.metric else "units"
    low, high = header.extent
    size = " x ".join(f"{b - a:.2f}" for a, b in zip(low, high, strict=True))
    held = header.held_back
    accuracy = "not measured"
    if held.median_translation is not None and held.median_rotation_deg is not None:
        accuracy = (
            f"{held.median_translation:.4g} {unit}, {held.median_rotation_deg:.2f} deg (median of {held.localized} "
            f"localized of {held.frames} held-back views)"
        )
    training = header.training
    cameras = f"{size} {unit}; median depth of the scene {header.median_depth:.3g} {unit}"
    layout = ", as ACE publishes them" if header.head.layout == "ace" else ""
    rows = {
        "format": f"version {header.format_version}, created {header.created}",
        "encoder": f"{header.encoder}, weights {header.encoder_sha256[:12]}, images {header.encoder_size} px",
        "head": f"{header.head.dimensions} -> {header.head.width} wide, {header.head.blocks} residual blocks{layout}",
        "landmarks": str(landmarks),
        "frame": f"{header.map_frame} ({'metres' if header.metric else 'arbitrary scale'})",
        "origin": " ".join(f"{v:.3f}" for v in header.origin),
        "cameras": cameras if header.frames else "unknown",
        "mapped from": f"{header.frames} frames" if header.frames else "unknown frames: the head was imported",
        "training": ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in training.items()),
        "expected": accuracy,
    }
    return "\n".join(f"{name:<12} {value}" for name, value in rows.items())


def _read(path: Path) -> tuple[MapHeader, dict[str, torch.Tensor]]:
    if not path.exists():
        raise MapFileError(f"{path}: there is no such map; make one with: ace map SCENE -o {path}")
    if not path.is_file():
        raise MapFileError(f"{path}: not a file; a map is one file")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise MapFileError(f"{path}: {_not_a_map(path)} ({error})") from None
    if metadata.get("format") != _FORMAT:
        raise MapFileError(f"{path}: a safetensors file, but not a map of ace_ros")
    return _parse_header(path, metadata.get("header", "")), tensors


def _not_a_map(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        start = file.read(16)
        if not start:
            return "the file is empty"
        if start[:2] == b"PK" or start[:1] == b"\x80":
            return "a pickle or PyTorch checkpoint, not a map; it was not loaded, because pickles can run code"
        if start[8:9] == b"{":
            return "the map is truncated or damaged; copy it again or map again"
    return "not a map of ace_ros"


def _parse_header(path: Path, text: str) -> MapHeader:
    try:
        values = json.loads(text)
        version = values["format_version"]
        if version != FORMAT_VERSION:
            raise MapVersionError(
                f"{path}: the map has format version {version}, this ace_ros reads version {FORMAT_VERSION}; "
                "map again, or use the ace_ros that wrote it"
            )
        known = {entry.name for entry in fields(MapHeader)}
        values = {key: value for key, value in values.items() if key in known}
        low, high = values["extent"]
        x, y, z = values["origin"]
        values |= {
            "head": HeadShape(**values["head"]),
            "held_back": HeldBack(**values["held_back"]),
            "calibration": Calibration(**values["calibration"]),
            "origin": (float(x), float(y), float(z)),
            "extent": (tuple(low), tuple(high)),
        }
        return MapHeader(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise MapFileError(f"{path}: the map's header is damaged ({error}); map again") from None
