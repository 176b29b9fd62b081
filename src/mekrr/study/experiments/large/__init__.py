"""Sparse models of large data sets: shards are mapped to triangles, and these reduced.

Nothing on the way holds more than a shard, the table of the frames and the triangles. The steps,
each a job:

    settings  features of a sample of training atoms -> coordinates, inducing atoms, and what is
            to be learnt of each frame (`learnt`)
    rows    a shard -> triangles of its training and validation rows, of every setting
    merge   triangles -> the triangle of all their rows
    fit     triangles of all rows -> one method's model, with what validation chose
    scores  some shards' validation frames -> how right the standard deviations are
    model   -> a model file, as `mekrr.SparseMEKRR` writes it
    test    a shard's test frames -> predictions, and sums of errors
    errors  -> errors by group, from the sums of all shards
"""
