"""What a robot adds to single images: odometry, time, a drive. No ROS in here, for any middleware."""
