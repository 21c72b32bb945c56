"""From one image and a map to a pose that says how far it can be trusted."""
