"""From posed images to a map."""
