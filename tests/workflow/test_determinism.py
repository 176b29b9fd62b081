"""The same bytes however the work is divided.

Beside these: final tables with one core and with two (test_workflow), Gram matrices in one job
and in blocks (test_gram_jobs), a run that was interrupted (test_faults).
"""

from mekrr.features.store import merge_shards, read_layer

WHOLE = "results/features/mine/toy.safetensors"


def test_seven_shards(finished, copied):
    """Features of seven jobs are those of one, bit for bit."""
    shards = [f"results/features/mine/toy/{k}-of-7.safetensors" for k in range(7)]
    result = copied.run(*shards)
    assert result.returncode == 0, result.stderr
    merged = copied.folder / "merged.safetensors"
    merge_shards(merged, [copied.folder / shard for shard in shards])
    for layer in (1, 2):
        ours, expected = (read_layer(p, layer) for p in (merged, finished.folder / WHOLE))
        assert ours.features.tobytes() == expected.features.tobytes()
        assert ours.pointer.tolist() == expected.pointer.tolist()
    assert merged.read_bytes() == (finished.folder / WHOLE).read_bytes()
