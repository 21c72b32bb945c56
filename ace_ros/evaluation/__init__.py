"""How good a map is: metrics, runs, reports, trajectories. No ROS; the metrics and the trajectories need no torch."""
