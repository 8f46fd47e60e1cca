"""Steps on blocks against torch's plain loop on copies of them, which knows nothing of views."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cxr.config_model import HeadConfig, ModelConfig, StackedConfig
from cxr.model.leading import leading
from cxr.model.stacked import StackedClassifier
from cxr.train.adamw import PartAdamW

Shape = tuple[int, ...]
RATE, DECAY = 0.05, 0.1
WHOLES: list[Shape] = [(), (7,), (5, 6), (4, 3, 2, 2)]


def _parameters(shapes: Sequence[Shape]) -> list[nn.Parameter]:
    return [nn.Parameter(torch.randn(shape)) for shape in shapes]


def _ours(parameters: Sequence[nn.Parameter], **group: Any) -> PartAdamW:
    return PartAdamW([{"params": list(parameters), "weight_decay": DECAY, **group}], lr=RATE)


def _blocks(parameters: Sequence[nn.Parameter], shapes: Sequence[Shape]) -> dict[nn.Parameter, torch.Tensor]:
    """Blocks of the shapes, each with a random gradient."""
    blocks: dict[nn.Parameter, torch.Tensor] = {}
    for parameter, shape in zip(parameters, shapes, strict=True):
        blocks[parameter] = nn.Parameter(leading(parameter.detach(), shape))
        blocks[parameter].grad = torch.randn(shape)
    return blocks


def _kept(optimiser: PartAdamW, parameter: nn.Parameter) -> dict[str, torch.Tensor]:
    """Copies of a parameter and of its moments; zeros before the first step."""
    state = optimiser.state[parameter]
    names = ("exp_avg", "exp_avg_sq")
    return {
        "weight": parameter.detach().clone(),
        **{n: state[n].clone() if state else torch.zeros_like(parameter) for n in names},
    }


def _count(optimiser: PartAdamW, parameter: nn.Parameter) -> float:
    return float(optimiser.state[parameter]["step"]) if optimiser.state[parameter] else 0.0


def _plain_step(before: dict[str, torch.Tensor], gradient: torch.Tensor, steps: float, **group: Any) -> dict[str, torch.Tensor]:
    """A step of torch's loop on a contiguous copy of a block, with its share of the moments."""
    cut = {name: leading(tensor, gradient.shape).clone() for name, tensor in before.items()}
    parameter = nn.Parameter(cut.pop("weight"))
    parameter.grad = gradient.clone()
    values = {"lr": RATE, "weight_decay": DECAY, **group}
    plain = torch.optim.AdamW([parameter], foreach=False, fused=False, **values)
    plain.state[parameter] = {"step": torch.tensor(steps), **cut}
    plain.step()
    moments = {name: plain.state[parameter][name] for name in cut}
    return {"weight": parameter.detach(), **moments}


def _assert_stepped(
    parameter: nn.Parameter, optimiser: PartAdamW, before: dict[str, torch.Tensor], gradient: torch.Tensor, steps: float
) -> None:
    """Inside the block as torch's loop has it, outside to the bit as before."""
    expected, found = _plain_step(before, gradient, steps), _kept(optimiser, parameter)
    for name, tensor in found.items():
        assert torch.allclose(leading(tensor, gradient.shape), expected[name], rtol=1e-5, atol=1e-6), name
        outside = torch.ones_like(tensor, dtype=torch.bool)
        leading(outside, gradient.shape).fill_(value=False)
        assert torch.equal(tensor[outside], before[name][outside]), name


def _run(optimiser: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], steps: int, seed: int = 3) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimiser.step()


def test_on_whole_parameters_it_is_torchs_fused_adamw_to_the_bit() -> None:
    own = _parameters(WHOLES)
    other = copy.deepcopy(own)
    fused = torch.optim.AdamW(other, lr=RATE, weight_decay=DECAY, fused=True)
    ours = _ours(own)
    _run(ours, own, 6)
    _run(fused, other, 6)
    for one, two in zip(own, other, strict=True):
        assert torch.equal(one, two)
        for name in ("step", "exp_avg", "exp_avg_sq"):
            assert torch.equal(ours.state[one][name], fused.state[two][name]), name


@pytest.mark.parametrize("values", [{}, {"betas": (0.8, 0.95)}, {"eps": 1e-2}], ids=str)
def test_on_whole_parameters_it_is_torchs_plain_adamw(values: dict[str, Any]) -> None:
    own = _parameters(WHOLES)
    other = copy.deepcopy(own)
    ours = PartAdamW([{"params": own, "weight_decay": DECAY}], lr=RATE, **values)
    _run(ours, own, 6)
    _run(torch.optim.AdamW(other, lr=RATE, weight_decay=DECAY, foreach=False, fused=False, **values), other, 6)
    assert all(torch.allclose(one, two, atol=1e-6) for one, two in zip(own, other, strict=True))


def test_every_group_has_a_rate_and_a_decay_of_its_own() -> None:
    own = _parameters([(3, 4), (3, 4)])
    other = copy.deepcopy(own)

    def groups(p: list[nn.Parameter]) -> list[dict[str, Any]]:
        return [{"params": [p[0]], "weight_decay": 0.5, "lr": 0.2}, {"params": [p[1]], "weight_decay": 0.0}]

    _run(PartAdamW(groups(own), lr=RATE), own, 4)
    _run(torch.optim.AdamW(groups(other), lr=RATE, fused=True), other, 4)
    assert all(torch.equal(one, two) for one, two in zip(own, other, strict=True))


KINDS: dict[str, tuple[Shape, Shape]] = {
    "scalar": ((), ()),
    "vector": ((7,), (3,)),
    "rows only": ((5, 6), (2, 6)),
    "columns only": ((5, 6), (5, 2)),
    "rows and columns": ((5, 6), (3, 4)),
    "one column": ((5, 6), (5, 1)),
    "one row": ((5, 6), (1, 4)),
    "last dimension of three": ((1, 5, 6), (1, 5, 3)),
    "four dimensions": ((4, 3, 2, 2), (2, 2, 2, 1)),
    "first of four": ((4, 3, 2, 2), (2, 3, 2, 2)),
    "whole": ((5, 6), (5, 6)),
}


@pytest.mark.parametrize(("whole", "block"), KINDS.values(), ids=KINDS)
def test_a_step_on_a_block_is_torchs_inside_and_nothing_outside(whole: Shape, block: Shape) -> None:
    (parameter,) = parameters = _parameters([whole])
    optimiser = _ours(parameters)
    _run(optimiser, parameters, 2)  # so that there are moments outside the block
    for step in range(2, 6):
        blocks, before = _blocks(parameters, [block]), _kept(optimiser, parameter)
        optimiser.step(blocks=blocks)
        gradient = blocks[parameter].grad
        assert gradient is not None
        _assert_stepped(parameter, optimiser, before, gradient, step)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_sequence_of_blocks_of_any_shape_steps_inside_alone(data: st.DataObject) -> None:
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    whole = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    (parameter,) = parameters = _parameters([whole])
    optimiser = _ours(parameters)
    for step in range(data.draw(st.integers(1, 4))):
        shape = tuple(data.draw(st.integers(1, length)) for length in whole)
        blocks, before = _blocks(parameters, [shape]), _kept(optimiser, parameter)
        optimiser.step(blocks=blocks)
        gradient = blocks[parameter].grad
        assert gradient is not None
        _assert_stepped(parameter, optimiser, before, gradient, step)


def test_columns_of_a_matrix_never_reach_the_kernel_that_ignores_their_strides() -> None:
    """On the CPU the fused kernel of torch steps beside a view that is not contiguous, and says nothing."""
    (parameter,) = parameters = _parameters([(64, 96)])
    optimiser = _ours(parameters)
    before = _kept(optimiser, parameter)
    blocks = _blocks(parameters, [(64, 24)])
    assert not blocks[parameter].is_contiguous()
    optimiser.step(blocks=blocks)
    gradient = blocks[parameter].grad
    assert gradient is not None
    _assert_stepped(parameter, optimiser, before, gradient, 0)
    assert (parameter[:, :24] != before["weight"][:, :24]).all()


def test_a_gradient_in_another_layout_is_read_by_its_strides() -> None:
    own = _parameters([(4, 6)])
    other = copy.deepcopy(own)
    gradient = torch.randn(6, 4)
    own[0].grad, other[0].grad = gradient.t(), gradient.t().contiguous()
    _ours(own).step()
    _ours(other).step()
    assert torch.equal(own[0], other[0])


@pytest.mark.parametrize("shape", [(4, 3, 5, 5), (2, 3, 5, 5)])
def test_a_parameter_in_another_layout_is_stepped_by_its_strides(shape: Shape) -> None:
    (parameter,) = parameters = [nn.Parameter(torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last))]
    optimiser = _ours(parameters)
    before, blocks = _kept(optimiser, parameter), _blocks(parameters, [shape])
    optimiser.step(blocks=blocks)
    gradient = blocks[parameter].grad
    assert gradient is not None
    _assert_stepped(parameter, optimiser, before, gradient, 0)


@pytest.mark.parametrize("left_out", ["no gradient", "no block"])
def test_a_parameter_that_takes_no_part_keeps_everything(left_out: str) -> None:
    parameters = _parameters([(5, 6), (5, 6)])
    optimiser = _ours(parameters)
    _run(optimiser, parameters, 2)
    blocks, before = _blocks(parameters, [(3, 4), (3, 4)]), _kept(optimiser, parameters[1])
    if left_out == "no block":
        del blocks[parameters[1]]
    else:
        blocks[parameters[1]].grad = None
    optimiser.step(blocks=blocks)
    assert all(torch.equal(tensor, before[name]) for name, tensor in _kept(optimiser, parameters[1]).items())
    assert (_count(optimiser, parameters[0]), _count(optimiser, parameters[1])) == (3, 2)


def test_a_gradient_of_zero_still_decays_and_only_the_block() -> None:
    (parameter,) = parameters = _parameters([(5, 6)])
    optimiser, before = _ours(parameters), parameter.detach().clone()
    blocks = _blocks(parameters, [(3, 4)])
    blocks[parameter].grad = torch.zeros(3, 4)
    optimiser.step(blocks=blocks)
    before[:3, :4] *= 1 - RATE * DECAY
    assert torch.allclose(parameter, before, atol=1e-7)
    assert torch.equal(parameter[3:], before[3:])


def test_a_restored_state_goes_on_bit_for_bit() -> None:
    shapes, blocks = [(5, 6), (7,), (4, 3, 2, 2)], [(3, 4), (2,), (4, 1, 2, 2)]
    parameters = _parameters(shapes)
    optimiser = _ours(parameters)
    for _ in range(3):
        optimiser.step(blocks=_blocks(parameters, blocks))
    others = copy.deepcopy(parameters)
    restored = _ours(others, lr=99.0)
    restored.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    for seed in range(3):
        for mine, own in ((optimiser, parameters), (restored, others)):
            torch.manual_seed(seed)
            mine.step(blocks=_blocks(own, blocks if seed else shapes))
    for own, other in zip(parameters, others, strict=True):
        found = _kept(restored, other)
        assert all(torch.equal(found[name], tensor) for name, tensor in _kept(optimiser, own).items())
        assert _count(restored, other) == _count(optimiser, own) == 6


IMAGES = torch.randint(0, 256, (2, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))


def _stacked() -> StackedClassifier:
    options = {"embed_dim": 48, "num_heads": 6, "depth": 2, "patch_size": 8}
    config = ModelConfig(options=options, stacked=StackedConfig(heads=(2, 3, 4, 6)), head=HeadConfig(hidden=8))
    return StackedClassifier(config, 32, 3).eval()


def _in_timms_order(classifier: StackedClassifier, tensors: dict[str, torch.Tensor], heads: int) -> dict[str, torch.Tensor]:
    """What belongs to the parameters of a classifier, as the state dict of its k-head network has it."""
    carrier = copy.deepcopy(classifier)
    with torch.no_grad():
        for name, parameter in carrier.named_parameters():
            parameter.copy_(tensors[name])
    return carrier.at(heads).state_dict()


def _everything(classifier: StackedClassifier, optimiser: PartAdamW) -> dict[str, dict[str, torch.Tensor]]:
    """Weights and moments by parameter."""
    kept = {name: _kept(optimiser, parameter) for name, parameter in classifier.named_parameters()}
    return {what: {name: tensors[what] for name, tensors in kept.items()} for what in ("weight", "exp_avg", "exp_avg_sq")}


def _plain_after(
    classifier: StackedClassifier, before: dict[str, Any], heads: int, steps: int
) -> dict[str, dict[str, torch.Tensor]]:
    """Weights and moments of the extracted network after a step of torch's loop, with the moments carried over."""
    plain = classifier.extract(heads)
    moments = {what: _in_timms_order(classifier, before[what], heads) for what in ("exp_avg", "exp_avg_sq")}
    adamw = torch.optim.AdamW(plain.parameters(), lr=RATE, weight_decay=DECAY, foreach=False, fused=False)
    for name, parameter in plain.named_parameters():
        own = {what: tensors[name].clone() for what, tensors in moments.items()}
        adamw.state[parameter] = {"step": torch.tensor(float(steps)), **own}
    plain(IMAGES).combined.square().sum().backward()
    adamw.step()
    kept = {what: {name: adamw.state[p][what] for name, p in plain.named_parameters()} for what in moments}
    return {"weight": dict(plain.state_dict()), **kept}


def _step(classifier: StackedClassifier, optimiser: PartAdamW, heads: int) -> None:
    classifier.at(heads)(IMAGES).combined.square().sum().backward()
    blocks = {part.whole: part.block for part in classifier.parts(heads).values()}
    optimiser.step(blocks=blocks)
    for block in blocks.values():
        block.grad = None


def test_steps_of_several_widths_are_those_of_the_extracted_networks() -> None:
    classifier = _stacked()
    optimiser = _ours([*classifier.parameters()])
    for step, heads in enumerate((6, 2, 4, 2, 3, 6)):
        before = _everything(classifier, optimiser)
        expected = _plain_after(classifier, before, heads, step)
        _step(classifier, optimiser, heads)
        after = _everything(classifier, optimiser)
        for what, tensors in after.items():
            for name, found in _in_timms_order(classifier, tensors, heads).items():
                # where a gradient is next to nothing its sign is rounding, and a step is all sign
                sure = (expected["exp_avg_sq"][name].sqrt() > 1e-5) | (what != "weight")
                assert torch.allclose(found[sure], expected[what][name][sure], rtol=1e-3, atol=1e-4), (what, name)
            for name, part in classifier.parts(heads).items():
                outside = torch.ones_like(part.whole, dtype=torch.bool)
                leading(outside, part.block.shape).fill_(value=False)
                assert torch.equal(tensors[name][outside], before[what][name][outside]), (what, name)
