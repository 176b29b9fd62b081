"""Frames and splits: reading, checking, dividing."""
