"""Figures, each drawn from tidy tables and nothing else.

A rule ``fig_NAME`` of the workflow draws what ``figures(step)`` of the module NAME returns, by
the names that its output has.
"""
