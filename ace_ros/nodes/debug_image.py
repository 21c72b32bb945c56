"""The picture on ~/debug_image."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from cv_bridge import CvBridge
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from ace_ros.localization.localizer import Localization
from ace_ros.recordings.posed_frame import Image

_SHORT_SIDE = 240  # pixels of an image whose dots are one pixel in radius; set by hand
_GREEN, _RED, _WHITE = (60, 220, 60), (220, 60, 60), (255, 255, 255)


class DebugImages:
    """Publishes what was seen, while somebody looks."""

    def __init__(self, node: Any) -> None:
        self._bridge = CvBridge()
        self._publisher = node.create_lifecycle_publisher(ImageMessage, "~/debug_image", QoSProfile(depth=1))

    def publish(self, header: Header, image: Image, found: Localization, sentence: str) -> None:
        """Draw and send, if anybody subscribes; ``sentence`` goes into the caption."""
        if not self._publisher.get_subscription_count():
            return
        caption = f"{found.inliers}/{found.candidates} inliers, confidence {found.confidence:.2f} {sentence}"
        message = self._bridge.cv2_to_imgmsg(draw(image, found, caption), encoding="rgb8")
        message.header = header
        self._publisher.publish(message)


def draw(image: Image, localization: Localization, caption: str) -> Image:
    """The image (H, W[, 3] RGB) with inliers green, outliers red, and a caption."""
    canvas = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image.copy()
    radius = max(1, round(min(canvas.shape[:2]) / _SHORT_SIDE))
    for wanted, colour in ((False, _RED), (True, _GREEN)):
        for x, y in np.round(localization.pixels[localization.inlier_mask == wanted]).astype(int):
            cv2.circle(canvas, (int(x), int(y)), radius, colour, -1, cv2.LINE_AA)
    cv2.rectangle(canvas, (0, 0), (canvas.shape[1], 22), (0, 0, 0), -1)
    cv2.putText(canvas, caption, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _WHITE, 1, cv2.LINE_AA)
    return np.asarray(canvas, dtype=np.uint8)
