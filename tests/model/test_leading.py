from __future__ import annotations

import copy
import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cxr.model.leading import leading, share, shares


def _pair() -> tuple[nn.Linear, nn.Linear]:
    """A layer of 6 to 5 features, and one of 3 to 2 that has its leading block."""
    wide, narrow = nn.Linear(6, 5), nn.Linear(3, 2)
    share(dict(wide.named_parameters()), narrow)
    return wide, narrow


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), min_size=0, max_size=4))
def test_a_leading_block_is_the_first_of_every_dimension(dimensions: list[tuple[int, int]]) -> None:
    block, whole = tuple(own for own, _ in dimensions), tuple(own + more for own, more in dimensions)
    tensor = torch.arange(torch.Size(whole).numel()).reshape(whole)
    found = leading(tensor, block)
    assert found.shape == block
    for index in itertools.product(*(range(length) for length in block)):
        assert found[index] == tensor[index]


def test_a_leading_block_is_a_view() -> None:
    tensor = torch.zeros(4, 5)
    leading(tensor, (2, 3)).fill_(1.0)
    assert tensor.sum() == 6
    assert tensor[:2, :3].sum() == 6


@pytest.mark.parametrize("shape", [(5, 1), (1, 6), (4,), (4, 5, 1), ()])
def test_a_block_that_does_not_fit_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"no block of shape .* in a tensor of shape \(4, 5\)"):
        leading(torch.zeros(4, 5), shape)


def test_shared_weights_are_one_memory_both_ways() -> None:
    wide, narrow = _pair()
    with torch.no_grad():
        wide.weight[1, 2] = 7.0
        narrow.bias[1] = 8.0
    assert narrow.weight[1, 2] == 7.0
    assert wide.bias[1] == 8.0
    assert torch.equal(narrow.weight, wide.weight[:2, :3])


def test_shared_weights_have_gradients_of_their_own_size() -> None:
    wide, narrow = _pair()
    narrow(torch.ones(1, 3)).sum().backward()
    assert narrow.weight.is_leaf
    assert narrow.weight.grad is not None
    assert narrow.weight.grad.shape == (2, 3)
    assert wide.weight.grad is None


def test_parameters_stay_in_their_places_and_in_order() -> None:
    wide = nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5))
    narrow = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    names = [name for name, _ in narrow.named_parameters()]
    share(dict(wide.named_parameters()), narrow)
    assert [name for name, _ in narrow.named_parameters()] == names
    assert shares(dict(wide.named_parameters()), narrow)


def test_a_module_without_memory_gets_that_of_the_larger_one() -> None:
    wide = nn.Linear(6, 5)
    narrow = nn.Linear(3, 2, device="meta")
    share(dict(wide.named_parameters()), narrow)
    assert torch.equal(narrow(torch.ones(1, 3))[0], wide.weight[:2, :3].sum(1) + wide.bias[:2])


def test_a_network_too_large_for_the_other_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no block of shape \(2, 7\) in a tensor of shape \(5, 6\)"):
        share(dict(nn.Linear(6, 5).named_parameters()), nn.Linear(7, 2))


def test_a_module_with_buffers_is_refused() -> None:
    with pytest.raises(ValueError, match="buffers"):
        share(dict(nn.BatchNorm1d(5).named_parameters()), nn.BatchNorm1d(2))


def test_a_parameter_without_counterpart_is_refused() -> None:
    with pytest.raises(KeyError, match="bias"):
        share(dict(nn.Linear(6, 5, bias=False).named_parameters()), nn.Linear(3, 2))


def test_parameters_that_the_smaller_network_lacks_are_left_out() -> None:
    wide, narrow = nn.Linear(6, 5), nn.Linear(3, 2, bias=False)
    share(dict(wide.named_parameters()), narrow)
    assert shares(dict(wide.named_parameters()), narrow)


def test_moving_the_weights_elsewhere_ends_the_sharing() -> None:
    wide, narrow = _pair()
    assert shares(dict(wide.named_parameters()), narrow)
    wide.to(torch.float64)
    assert not shares(dict(wide.named_parameters()), narrow)
    wide.to(torch.float32)  # back again is another memory
    assert not shares(dict(wide.named_parameters()), narrow)


def test_copies_share_with_nobody() -> None:
    wide, narrow = _pair()
    assert not shares(dict(copy.deepcopy(wide).named_parameters()), narrow)
    assert not shares(dict(wide.named_parameters()), copy.deepcopy(narrow))


def test_freezing_ends_the_sharing_until_it_is_made_anew() -> None:
    wide, narrow = _pair()
    wide.weight.requires_grad_(requires_grad=False)
    assert not shares(dict(wide.named_parameters()), narrow)
    share(dict(wide.named_parameters()), narrow)
    assert shares(dict(wide.named_parameters()), narrow)
    assert (narrow.weight.requires_grad, narrow.bias.requires_grad) == (False, True)


def test_loading_in_place_keeps_the_sharing_and_replacing_ends_it() -> None:
    wide, narrow = _pair()
    other = nn.Linear(6, 5).state_dict()
    wide.load_state_dict(other)
    assert shares(dict(wide.named_parameters()), narrow)
    assert torch.equal(narrow.weight, other["weight"][:2, :3])
    wide.load_state_dict(other, assign=True)
    assert not shares(dict(wide.named_parameters()), narrow)
