"""Tables of the study, and how they are printed."""
