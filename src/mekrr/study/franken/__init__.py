"""franken, the successor of the method by the same group, as a baseline of the study.

Ridge regression on random features of a frozen network's features, trained on energies and on all
components of forces: Novelli, Meanti, Buigues, Rosasco, Parrinello, Pontil and Bonati, npj
Computational Materials 11, 293 (2025).

It has an environment of its own, in which `program` runs by itself, apart from this package.
"""
