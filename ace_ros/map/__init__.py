"""The map: a trained head and landmarks, in one file with a typed header."""
