"""The set on which a SchNet of this project's own is pre-trained, and its training."""
