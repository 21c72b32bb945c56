"""The ROS 2 nodes: messages on one side, the library on the other."""
