"""Rows gathered and added up by an index, against torch's own, with gradients of two orders."""

import pytest
import torch

from mekrr.backbones.rows import add_up, gather, grouping, grouping_indices
from mekrr.models.network.states import collate

INDEX = torch.tensor([3, 0, 3, 1, 0, 3])  # nothing belongs to group 2 and 4
STATE = grouping("atom", INDEX, 5)


def rows(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, dtype=torch.float64, generator=generator, requires_grad=True)


def test_gather_is_index_select():
    x = rows(5, 3)
    assert torch.equal(gather(STATE, "atom", x), x[INDEX])


def test_add_up_is_index_add():
    values = rows(6, 3)
    expected = torch.zeros(5, 3, dtype=torch.float64).index_add(0, INDEX, values)
    torch.testing.assert_close(add_up(STATE, "atom", values), expected, rtol=1e-15, atol=0)


@pytest.mark.parametrize(("function", "n_rows"), [(gather, 5), (add_up, 6)])
def test_gradients_of_both_orders(function, n_rows):
    def squares(x):
        return function(STATE, "atom", x).pow(3)

    assert torch.autograd.gradcheck(squares, rows(n_rows, 2))
    assert torch.autograd.gradgradcheck(squares, rows(n_rows, 2))


def test_of_a_batch():
    """Groupings of two frames, one after the other, are that of both."""
    first = grouping("atom", torch.tensor([1, 0, 1]), 2) | {"x": torch.zeros(2)}
    second = grouping("atom", torch.tensor([2, 2]), 3) | {"x": torch.zeros(3)}
    both = collate(
        [{name: value.numpy() for name, value in state.items()} for state in (first, second)],
        grouping_indices("atom", "x"),
    )
    expected = grouping("atom", torch.tensor([1, 0, 1, 4, 4]), 5)
    values = rows(5, 2)
    torch.testing.assert_close(add_up(both, "atom", values), add_up(expected, "atom", values))
    torch.testing.assert_close(gather(both, "atom", values), gather(expected, "atom", values))
