"""Which frames to label next: those of which a model, or a backbone alone, knows the least."""

from mekrr.selection.choose import Selection, select_frames
from mekrr.selection.gathering import FrameError

__all__ = ["FrameError", "Selection", "select_frames"]
