"""The part of cv_bridge that this package uses, for machines without a ROS distribution.

Same names, same results as the real one; the same tests run against both.
"""

from cv_bridge.bridge import CvBridge, CvBridgeError

__all__ = ["CvBridge", "CvBridgeError"]
