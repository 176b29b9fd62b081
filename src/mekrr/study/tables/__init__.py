"""Tables of the study, and how they are printed.

A rule ``NAME_table`` of the workflow runs ``write(step)`` of the module NAME.
"""
