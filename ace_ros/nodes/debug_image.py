"""The picture on ~/debug_image."""

from __future__ import annotations

from typing import Any

import cv2
from cv_bridge import CvBridge
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from ace_ros.image import Pixels
from ace_ros.localization.answer import Localization
from ace_ros.visual.drawing import GREEN, RED, WHITE, dot, in_colour

_RADIUS = 1 / 240  # of a dot, as a share of the image's shorter side: one pixel of a small image, two at VGA


class DebugImages:
    """Publishes what was seen, while somebody looks."""

    def __init__(self, node: Any) -> None:
        self._bridge = CvBridge()
        self._publisher = node.create_lifecycle_publisher(ImageMessage, "~/debug_image", QoSProfile(depth=1))

    def publish(self, header: Header, image: Pixels, found: Localization, sentence: str) -> None:
        """Draw and send, if anybody subscribes; ``sentence`` goes into the caption."""
        if not self._publisher.get_subscription_count():
            return
        caption = f"{found.inliers}/{found.candidates} inliers, confidence {found.confidence:.2f} {sentence}"
        message = self._bridge.cv2_to_imgmsg(draw(image, found, caption), encoding="rgb8")
        message.header = header
        self._publisher.publish(message)


def draw(image: Pixels, localization: Localization, caption: str) -> Pixels:
    """The image (H, W[, 3] RGB) with inliers green, outliers red, and a caption."""
    canvas = in_colour(image)
    radius = max(1, round(min(canvas.shape[:2]) * _RADIUS))
    for wanted, colour in ((False, RED), (True, GREEN)):
        for pixel in localization.pixels[localization.inlier_mask == wanted]:
            dot(canvas, pixel, colour, radius, filled=True)
    cv2.rectangle(canvas, (0, 0), (canvas.shape[1], 22), (0, 0, 0), -1)
    cv2.putText(canvas, caption, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, WHITE, 1, cv2.LINE_AA)
    return canvas
