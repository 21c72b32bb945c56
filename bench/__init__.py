"""Benchmarks: ours, the published recipe, and plain structure, on the same frames with the same measures.

``python -m bench --help``; docs/benchmarks.md says what was measured.
"""
