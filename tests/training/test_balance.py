"""Class weights and chances."""

import numpy as np
import pytest
import torch

from roadworthy.errors import ParamsError
from roadworthy.training.balance import balanced_chances, class_weights
from small_training import plan_of

COUNTS = torch.tensor([10, 90, 300])
LABELS = ("a", "b", "c")


@pytest.mark.parametrize("rule", ["none", "balanced", "sqrt", {"b": 3.0}])
def test_weights_average_one_over_images(rule: str | dict[str, float]) -> None:
    """Else the rule would change the learning rate, too."""
    weights = class_weights(COUNTS, rule, LABELS)
    assert float((weights * COUNTS).sum() / COUNTS.sum()) == pytest.approx(1)


def test_each_rule_weighs_as_it_says() -> None:
    """By 1 / count, by 1 / root of count, or as named."""
    balanced = class_weights(COUNTS, "balanced", LABELS) * COUNTS
    assert torch.allclose(balanced, balanced[0].expand(3))
    root = class_weights(COUNTS, "sqrt", LABELS) * COUNTS.sqrt()
    assert torch.allclose(root, root[0].expand(3))
    named = class_weights(COUNTS, {"b": 3.0}, LABELS)
    assert float(named[1] / named[0]) == pytest.approx(3) and named[0] == named[2]


def test_a_label_that_is_none_is_refused() -> None:
    """A typing error would weigh nothing, and nobody would know."""
    with pytest.raises(ParamsError, match="polcie"):
        class_weights(COUNTS, {"polcie": 2.0}, LABELS)


def test_weights_may_be_named_in_params() -> None:
    """As a mapping, beside the three words."""
    assert plan_of(class_weights={"car": 2.0}).train.class_weights == {"car": 2.0}


def test_chances_are_equal_for_classes() -> None:
    """And for the images of one class."""
    targets = np.array([0, 0, 0, 1])
    assert balanced_chances(targets) == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])
