"""A recording played through the nodes in real time: which processes to start with what, and what they left behind."""
