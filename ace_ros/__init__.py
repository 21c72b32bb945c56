"""ace_ros: visual relocalization from one camera image, in a place mapped minutes ago.

The library (everything here but ``ace_ros.nodes``) knows nothing of ROS.
"""

__version__ = "0.1.0"
