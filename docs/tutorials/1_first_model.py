"""
A first model
=============

To be written.
"""
