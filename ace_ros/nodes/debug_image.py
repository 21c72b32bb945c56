"""The picture on ~/debug_image. No ROS in here."""

from __future__ import annotations

import cv2
import numpy as np

from ace_ros.frames.posed_frame import Image
from ace_ros.localizer import Localization

_GREEN, _RED, _WHITE = (60, 220, 60), (220, 60, 60), (255, 255, 255)


def draw(image: Image, localization: Localization, caption: str) -> Image:
    """The image (H, W[, 3] RGB) with inliers green, outliers red, and a caption."""
    canvas = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image.copy()
    radius = max(1, round(min(canvas.shape[:2]) / 240))
    for wanted, colour in ((False, _RED), (True, _GREEN)):
        for x, y in np.round(localization.pixels[localization.inlier_mask == wanted]).astype(int):
            cv2.circle(canvas, (int(x), int(y)), radius, colour, -1, cv2.LINE_AA)
    cv2.rectangle(canvas, (0, 0), (canvas.shape[1], 22), (0, 0, 0), -1)
    cv2.putText(canvas, caption, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _WHITE, 1, cv2.LINE_AA)
    return np.asarray(canvas, dtype=np.uint8)
