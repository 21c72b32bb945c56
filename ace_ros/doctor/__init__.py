"""What is missing or does not fit on this machine, and the command that mends each. The standard library alone.

Whatever may be broken is imported by a process of its own, so that the doctor survives what kills the patient.
"""
