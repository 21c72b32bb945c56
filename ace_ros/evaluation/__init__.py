"""How good a map is: metrics, plots, reports, trajectories (no torch, no ROS)."""
