"""The ROS 2 nodes: messages on one side, the library on the other."""

import os

# Nodes share the machine with drivers and planners: they sleep at once.
os.environ["GOMP_SPINCOUNT"] = "0"
