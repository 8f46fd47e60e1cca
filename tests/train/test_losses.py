from __future__ import annotations

from typing import Literal

import pytest
import torch
from sklearn.metrics import log_loss

from cxr.config_training import LossConfig
from cxr.model.head import HeadOutput
from cxr.train.cells import BCELoss
from cxr.train.losses import MultiBranchLoss, Teacher, build_loss

NAN = torch.nan
WEIGHTINGS = pytest.mark.parametrize("weighting", ["learned", "static", "uniform"])
Weighting = Literal["learned", "static", "uniform"]
POSITIVES = torch.tensor([40.0, 10.0, 160.0])


def _output(batch: int = 12, scale: float = 2) -> HeadOutput:
    branch, aggregated = scale * torch.randn(batch, 3), scale * torch.randn(batch, 3)
    combined = 0.5 * (branch + aggregated)
    return HeadOutput(*(logits.requires_grad_() for logits in (combined, branch, aggregated)))


def _targets(batch: int = 12) -> torch.Tensor:
    targets = torch.randint(0, 2, (batch, 3)).float()
    targets[torch.rand(batch, 3) < 0.3] = NAN
    return targets


def _loss(weighting: Weighting) -> MultiBranchLoss:
    loss = MultiBranchLoss(POSITIVES, weighting)
    for parameter in loss.parameters():
        torch.nn.init.normal_(parameter)
    return loss


def test_masked_bce_equals_scikit_learn_on_known_cells() -> None:
    logits, targets = torch.randn(20, 3), _targets(20)
    cells, known = BCELoss()(logits, targets), ~torch.isnan(targets)
    scores = torch.sigmoid(logits.double())
    assert cells[known].mean().item() == pytest.approx(log_loss(targets[known], scores[known]), rel=1e-5)
    assert not cells[~known].any()


def test_masked_bce_of_a_soft_target() -> None:
    cell = BCELoss()(torch.tensor([[1.0]]), torch.tensor([[0.3]])).item()
    score = torch.sigmoid(torch.tensor(1.0, dtype=torch.float64))
    assert cell == pytest.approx(float(-0.3 * score.log() - 0.7 * (1 - score).log()), rel=1e-6)


@pytest.mark.parametrize("target", [-1.0, 2.0, -0.01, 1.01])
def test_targets_outside_0_to_1_raise(target: float) -> None:
    with pytest.raises(ValueError, match="outside"):
        BCELoss()(torch.zeros(2, 1), torch.tensor([[0.0], [target]]))


@WEIGHTINGS
def test_a_masked_cell_gives_no_loss_and_no_gradient(weighting: Weighting) -> None:
    loss, targets = _loss(weighting), _targets()
    targets[4] = NAN
    output = _output()
    value = loss(output, targets)
    value.backward()
    assert all(not logits.grad[4].any() for logits in (output.combined, output.branch, output.aggregated))
    shifted = HeadOutput(*(logits.detach().clone() for logits in (output.combined, output.branch, output.aggregated)))
    for logits in (shifted.combined, shifted.branch, shifted.aggregated):
        logits[4] += 5
    assert torch.equal(loss(shifted, targets), value)


def test_the_loss_equals_its_written_formula() -> None:
    output, targets = _output(), _targets()
    known = ~torch.isnan(targets)
    rarest = POSITIVES.min()

    def bce(logits: torch.Tensor, i: int, j: int) -> torch.Tensor:
        score = torch.sigmoid(logits[i, j].double())
        return -(targets[i, j] * score.log() + (1 - targets[i, j]) * (1 - score).log())

    for weighting in ("learned", "static", "uniform"):
        loss, total = _loss(weighting), torch.zeros((), dtype=torch.float64)
        for i, j in known.nonzero().tolist():
            z, b, a = (bce(logits, i, j) for logits in (output.combined, output.branch, output.aggregated))
            if weighting == "learned":
                s, s_aggregated = loss.log_variance[j], loss.log_variance_aggregated[0]
                total = total + z + torch.exp(-s) * b + s + torch.exp(-s_aggregated) * a + s_aggregated
            elif weighting == "static":
                total = total + z + rarest / POSITIVES[j] * b + 0.06 * a
            else:
                total = total + z + b + a
        assert loss(output, targets).item() == pytest.approx(total.item() / known.sum().item(), rel=1e-5), weighting


@WEIGHTINGS
def test_the_loss_does_not_change_when_the_batch_is_doubled(weighting: Weighting) -> None:
    loss, output, targets = _loss(weighting), _output(), _targets()
    doubled = HeadOutput(*(torch.cat([x, x]) for x in (output.combined, output.branch, output.aggregated)))
    assert loss(doubled, torch.cat([targets, targets])).item() == pytest.approx(loss(output, targets).item(), rel=1e-6)


@WEIGHTINGS
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_large_logits_in_half_precision_give_the_loss_of_float32(weighting: Weighting, dtype: torch.dtype) -> None:
    logits = torch.tensor([[20.0, -20.0, 20.0], [-20.0, 20.0, -20.0]])
    targets = torch.tensor([[0.0, 1.0, 1.0], [0.0, NAN, 1.0]])
    loss = _loss(weighting)
    half = loss(HeadOutput(*(logits.to(dtype) for _ in range(3))), targets)
    assert torch.isfinite(half)
    assert half.item() == pytest.approx(loss(HeadOutput(logits, logits, logits), targets).item(), rel=1e-6)


@WEIGHTINGS
@pytest.mark.parametrize("enabled", [True, False])
def test_the_loss_leaves_the_gradient_mode_as_it_is(weighting: Weighting, enabled: bool) -> None:
    with torch.set_grad_enabled(enabled):
        value = _loss(weighting)(_output(), _targets())
        assert torch.is_grad_enabled() == enabled
    assert value.requires_grad == enabled


@WEIGHTINGS
def test_a_batch_without_positives_has_a_gradient(weighting: Weighting) -> None:
    output = _output()
    _loss(weighting)(output, torch.zeros(12, 3)).backward()
    assert all(logits.grad.abs().min() > 0 for logits in (output.combined, output.branch, output.aggregated))


@WEIGHTINGS
def test_a_batch_without_known_cells_has_loss_zero_and_no_gradient(weighting: Weighting) -> None:
    loss, output = _loss(weighting), _output()
    value = loss(output, torch.full((12, 3), NAN))
    value.backward()
    assert value.item() == 0
    assert all(not p.grad.any() for p in [*loss.parameters(), output.combined, output.branch, output.aggregated])


@pytest.mark.parametrize("kind", ["branch", "aggregated"])
def test_a_head_with_one_output_has_one_loss(kind: str) -> None:
    output, targets = _output(), _targets()
    parts = {"branch": None, "aggregated": None, kind: output.combined}
    single = HeadOutput(output.combined, parts["branch"], parts["aggregated"])
    expected = BCELoss()(output.combined, targets).sum() / (~torch.isnan(targets)).sum()
    assert _loss("learned")(single, targets).item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_weights_told_are_those_applied() -> None:
    loss, targets = _loss("learned"), torch.zeros(12, 3)
    output = _output()
    with_branch = loss(output, targets).item()
    branch = HeadOutput(output.combined, torch.full((12, 3), -30.0), output.aggregated, None)  # a loss of zero
    cells = BCELoss()(output.branch, targets)
    assert with_branch - loss(branch, targets).item() == pytest.approx((loss.branch_weights() * cells).mean().item(), rel=1e-4)


def test_static_weights_are_inverse_frequencies_and_stand_a_label_without_positives() -> None:
    weights = MultiBranchLoss(torch.tensor([0.0, 0.5, 0.1]), "static").branch_weights()
    assert weights.tolist() == pytest.approx([1, 0.2, 1])
    assert MultiBranchLoss(torch.zeros(2), "static").branch_weights().tolist() == [1, 1]


def test_frequencies_are_shares_of_what_is_known() -> None:
    targets = torch.full((8, 2), torch.nan)
    targets[:, 0] = torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 0])
    targets[:4, 1] = torch.tensor([1.0, 0, 0, 0])
    assert build_loss(LossConfig(), "static", targets).branch_weights().tolist() == pytest.approx([1, 0.5])


TEACHER = torch.tensor([[2.0, -1.0, 0.3], [0.0, -4.0, 1.0]])
LABELS = torch.tensor([[1.0, 0.0, torch.nan], [0.3, torch.nan, 0.0]])


def _slope(loss: MultiBranchLoss, teacher: Teacher | None, labels: torch.Tensor = LABELS) -> torch.Tensor:
    logits = torch.full((2, 3), 0.7, requires_grad=True)
    loss.cells(logits, labels, teacher).sum().backward()
    assert logits.grad is not None
    return logits.grad


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("kind", ["bce", "focal", "asymmetric"])
def test_with_a_teacher_the_loss_is_a_mixture_with_cross_entropy(kind: str, share: float) -> None:
    loss = build_loss(LossConfig(kind=kind), "uniform", torch.rand(4, 3).round())
    known = ~LABELS.isnan()
    taught = torch.where(known, torch.sigmoid(torch.tensor(0.7)) - torch.sigmoid(TEACHER), 0.0)
    expected = (1 - share) * _slope(loss, None) + share * taught
    assert torch.allclose(_slope(loss, Teacher(TEACHER, share)), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["bce", "focal", "asymmetric"])
def test_what_is_learned_from_the_teacher_alone_is_its_probability(kind: str) -> None:
    loss = build_loss(LossConfig(kind=kind), "uniform", torch.rand(4, 3).round())
    cells = loss.cells(TEACHER.clone().requires_grad_(), torch.ones(2, 3), Teacher(TEACHER, 1.0))
    nearby = [loss.cells(TEACHER + step, torch.ones(2, 3), Teacher(TEACHER, 1.0)) for step in (-0.1, 0.1)]
    assert all((other > cells).all() for other in nearby)


def test_a_teacher_has_no_say_where_the_label_is_unknown() -> None:
    loss = build_loss(LossConfig(), "uniform", torch.rand(4, 3).round())
    assert not _slope(loss, Teacher(TEACHER, 1.0))[LABELS.isnan()].any()


def test_a_log_variance_at_its_bound_still_has_a_gradient() -> None:
    loss = MultiBranchLoss(POSITIVES, "learned")
    torch.nn.init.constant_(loss.log_variance, -9.0)
    loss.restrain()
    assert loss.log_variance.tolist() == [-3, -3, -3]
    loss(_output(scale=20), torch.zeros(12, 3)).backward()
    assert (loss.log_variance.grad < 0).all()  # the loss has become large again, so the weight must fall
