"""Tensor files written piece by piece, against the library of the format."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from mekrr.errors import DataError
from mekrr.tensors import TensorFile, tensor_writer, write_tensors


def test_pieces_in_any_order_make_the_tensors(tmp_path, rng):
    path = tmp_path / "t.safetensors"
    tensors = {
        "odd": np.arange(3, dtype=np.int32),
        "number": np.float64(2.5),
        "matrix": rng.normal(size=(7, 5)),
        "flat": rng.normal(size=4).astype(np.float32),
    }
    layout = {name: (values.shape, values.dtype) for name, values in tensors.items()}
    with tensor_writer(path, layout, {"what": "a test"}) as writer:
        writer.write("matrix", tensors["matrix"][4:], 4)
        writer.write("flat", tensors["flat"])
        writer.write("matrix", np.asfortranarray(tensors["matrix"][:4]))
        writer.write("number", tensors["number"])
        writer.write("odd", tensors["odd"])
    loaded, file = load_file(path), TensorFile(path)
    assert set(loaded) == set(file.names) == set(tensors)
    assert file.metadata == {"what": "a test"}
    for name, values in tensors.items():
        for found in (loaded[name], file.read(name)):
            assert found.dtype == values.dtype
            assert found.shape == values.shape
            np.testing.assert_array_equal(found, values)


def test_incomplete_file_does_not_appear(tmp_path):
    path = tmp_path / "t.safetensors"
    with (
        pytest.raises(ValueError, match="not all of a"),
        tensor_writer(path, {"a": ((3, 2), np.float64)}, {}) as writer,
    ):
        writer.write("a", np.zeros((2, 2)))
    assert not list(tmp_path.iterdir())


def test_damaged_file_and_absent_tensor_are_one_line(tmp_path):
    path = tmp_path / "t.safetensors"
    write_tensors(path, {"a": np.zeros(5)}, {})
    with pytest.raises(DataError, match="has no tensor b"):
        TensorFile(path).read("b")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="damaged file"):
        TensorFile(path)
    path.unlink()
    with pytest.raises(DataError, match="damaged file"):
        TensorFile(path)
