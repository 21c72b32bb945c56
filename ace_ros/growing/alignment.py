"""How the frame of a recording lies in that of a map, as a small JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ace_ros.errors import InputError
from ace_ros.geometry import Matrix, check_pose

_LARGEST = 1e9  # of a scale, and one over the least; set by hand


@dataclass(frozen=True)
class Alignment:
    """``p_map = R (scale p_recording) + t``.

    Attributes:
        map_from_recording: (4, 4) rigid, [R t]. scale: units of the map that are one of the recording; 1 where both are
            metric.
        covariance: (7, 7) of errors in t, R and log(scale), in the order and axes of
            :func:`ace_ros.geometry.pose_residual` with the scale behind; its last row is zero where that was given.
        agreeing: localized frames that agree. localized: of how many. of: frames that were asked.
        rms_translation, rms_rotation_deg: of those that agree, units of the map and degrees.
        sigma_translation, sigma_rotation_deg, sigma_scale: standard deviations of what it says of the middle of these
            frames: along the worst axis, about the worst axis, and as a fraction.
    """

    map_from_recording: Matrix
    scale: float
    covariance: Matrix
    agreeing: int
    localized: int
    of: int
    rms_translation: float
    rms_rotation_deg: float
    sigma_translation: float
    sigma_rotation_deg: float
    sigma_scale: float

    def pose(self, recording_from_camera: Matrix) -> Matrix:
        """map_from_camera (4, 4) of a camera whose pose in the recording is given."""
        scaled = recording_from_camera.copy()
        scaled[:3, 3] *= self.scale
        return np.asarray(self.map_from_recording @ scaled)

    def to_json(self) -> dict[str, Any]:
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in self.__dict__.items()
        }

    @staticmethod
    def load(path: Path) -> Alignment:
        """Raises InputError: no such file, or not an alignment."""
        try:
            values = json.loads(path.read_text())
        except OSError as error:
            raise InputError(f"{path}: can't be read ({error.strerror}); 'ace align' makes an alignment") from None
        except ValueError as error:
            raise InputError(f"{path}: is no JSON ({error}); 'ace align' makes an alignment") from None
        try:
            pose = check_pose(values["map_from_recording"], f"{path}: map_from_recording")
            scale = float(values["scale"])
            rest = {name: values[name] for name in Alignment.__dataclass_fields__ if name not in _READ}
            covariance: NDArray[np.float64] = np.array(values["covariance"], np.float64)
            numbers = {name: float(value) for name, value in rest.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: is not an alignment as 'ace align' writes it ({error})") from None
        if not 1 / _LARGEST < scale < _LARGEST:
            raise InputError(f"{path}: a scale of {scale:g} can't be; align again")
        agreeing, localized, of = (int(numbers.pop(name)) for name in ("agreeing", "localized", "of"))
        return Alignment(pose, scale, covariance, agreeing, localized, of, **numbers)


_READ = ("map_from_recording", "scale", "covariance")
