"""Losses against torch's own, and what each setting is for."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from roadworthy.params import Train
from roadworthy.training.criterion import Criterion, one_hot

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, -3.0], [-1.0, 4.0, 1.0]])
TARGETS = torch.tensor([0, 1, 2])
WEIGHTS = torch.tensor([0.5, 1.0, 2.0])


@given(st.floats(0, 0.5))
def test_cross_entropy_is_torchs(smoothing: float) -> None:
    """With class weights and label smoothing."""
    ours = Criterion(Train(label_smoothing=smoothing), WEIGHTS)(LOGITS, one_hot(TARGETS, 3))
    theirs = F.cross_entropy(LOGITS, TARGETS, WEIGHTS, reduction="none", label_smoothing=smoothing)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_one_logit_is_binary_cross_entropy() -> None:
    """Smoothed and weighted."""
    logits, targets = LOGITS[:, :1], torch.tensor([0, 1, 1])
    criterion = Criterion(Train(label_smoothing=0.1), torch.tensor([0.5, 2.0]))
    each = F.binary_cross_entropy_with_logits(
        logits[:, 0], torch.tensor([0.05, 0.95, 0.95]), reduction="none"
    )
    expected = each * torch.tensor([0.5, 2.0, 2.0])
    assert torch.allclose(criterion(logits, one_hot(targets, 2)), expected, atol=1e-6)


@pytest.mark.parametrize("columns", [1, 3])
def test_focal_loss_cares_less_for_what_is_right(columns: int) -> None:
    """Compared with cross-entropy, easy images lose most of their weight, hard ones keep it."""
    classes = max(columns, 2)
    easy = torch.full((1, columns), -8.0)
    easy[0, -1] = 8.0
    hard = -easy
    target = one_hot(torch.tensor([classes - 1]), classes)
    plain = Criterion(Train(), torch.ones(classes))
    focal = Criterion(Train(loss="focal"), torch.ones(classes))
    assert float(focal(easy, target) / plain(easy, target)) < 0.001
    assert float(focal(hard, target) / plain(hard, target)) > 0.9
    flat = Criterion(Train(loss="focal", focal_gamma=0), torch.ones(classes))
    assert torch.allclose(flat(hard, target), plain(hard, target), atol=1e-5)


@given(st.floats(0, 1))
def test_a_blended_image_has_the_blended_loss(share: float) -> None:
    """Soft targets of mixup and cutmix need no case of their own."""
    criterion = Criterion(Train(), WEIGHTS)
    one, two = one_hot(TARGETS, 3), one_hot(TARGETS.flip(0), 3)
    mixed = criterion(LOGITS, share * one + (1 - share) * two)
    parts = share * criterion(LOGITS, one) + (1 - share) * criterion(LOGITS, two)
    assert torch.allclose(mixed, parts, atol=1e-5)


def test_logits_out_of_the_question_do_no_harm() -> None:
    """Classes of other tasks in pretraining: no loss, no gradient, no NaN."""
    logits = LOGITS.clone().requires_grad_()
    masked = logits.masked_fill(torch.tensor([[False, False, True]]), -1e4)
    loss = Criterion(Train(), torch.ones(3))(masked[:2], one_hot(TARGETS[:2], 3)).sum()
    loss.backward()
    assert torch.isfinite(loss) and logits.grad is not None
    assert (logits.grad[:, 2] == 0).all() and torch.isfinite(logits.grad).all()
