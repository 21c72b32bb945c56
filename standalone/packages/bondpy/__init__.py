"""The part of bondpy that this package uses, for machines without a ROS distribution."""
