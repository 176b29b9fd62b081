"""Mean-embedding kernels between frames, built on kernels between the features of atoms.

A Gram matrix has a row for each frame and a column for each training frame. Its pieces:

              training frames                    two cells of a block, for the engine
              part 0        part 1                    band        band
           ┌─────────────┬─────────────┐          ┌──────────┬──────────┐
    train  │  block 0-0  │  block 0-1  │    strip │   tile   │   tile   │ ┐
           │             ├─────────────┤          ├──────────┼──────────┤ │ panel
           │  (mirrored) │  block 1-1  │    strip │   tile   │   tile   │ ┘
           ├─────────────┼─────────────┤          ├──────────┼──────────┤
    rest   │  block 0-0  │  block 0-1  │    strip │   tile   │   tile   │
           │  block 0-1  │  block 1-1  │          └──────────┴──────────┘
           └─────────────┴─────────────┘

part     some of the training frames and some of the rest: so many of each are asked for
block    what a job computes, the kernels of two parts; a small matrix is one block
cell     frames of a part whose features and kernels are in memory at once; a pair is two of them
panel    bands of a cell whose features are prepared for the product at once
band     four strips, the columns of a tile
strip    a few frames of some 384 atoms together, the rows of a tile
tile     one product of matrices: what fits into a processor's cache
segment  the atoms of one species in one frame, over which kernel values are added up
share    the term of one species in K_1
batch    atoms that a pass over all features takes at once
"""
