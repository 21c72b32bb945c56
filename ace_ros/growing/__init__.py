"""What becomes of a map after it was made: it is extended, merged, aligned with, repaired and pruned.

Nothing here changes a map that was given: each makes a new one, of which places that nothing new was learnt about are
the same bit for bit.
"""
