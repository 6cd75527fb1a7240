"""How good each step is, is said where its answers are."""

from roadworthy.bundle.format import BundleSpec
from roadworthy.bundle.predictor import Predictor
from roadworthy.scene.accuracy import Figure, asking, finding, unknown

FOUND = {"scenes_average_precision": 0.93, "scenes_average_precision_low": 0.9}


def detector(askers: dict[str, Predictor], **metrics: float) -> BundleSpec:
    return askers["police"].spec.model_copy(update={"task": "detector", "metrics": metrics})


def test_figures_come_with_their_intervals(askers: dict[str, Predictor]) -> None:
    """As the champion's own test measured them; an end that is missing is the figure."""
    spec = askers["police"].spec.model_copy(
        update={"metrics": {"accuracy": 0.9, "accuracy_low": 0.85, "accuracy_high": 0.94}}
    )
    step = asking(spec, 3)
    assert step.figures == {"accuracy": Figure(0.9, 0.85, 0.94)}
    assert str(step) == (
        "police of each: police/3: test images answered rightly 0.900 [0.850 0.940]"
    )
    found = finding(detector(askers, **FOUND), 2)
    assert found.figures == {"scenes_average_precision": Figure(0.93, 0.9, 0.93)}
    assert "average precision on test scenes 0.930" in str(found)


def test_a_step_without_figures_says_so(askers: dict[str, Predictor]) -> None:
    """Silence would read as trust."""
    assert str(finding(detector(askers), 1)).endswith("nothing was measured")


def test_what_is_not_known_is_said(askers: dict[str, Predictor]) -> None:
    """Each gap once, and none that is not there."""
    specs = [asker.spec for asker in askers.values()]
    told = "\n".join(unknown(detector(askers), specs, {"colour": "it has no champion yet"}))
    assert "colour was not asked: it has no champion yet" in told
    assert "how well detector finds cars in whole pictures was not measured" in told
    assert "police and brand: figures" in told
    assert "brand: one of 3 labels is given" in told
    assert "seen from the side" in told
    assert unknown(detector(askers, **FOUND), []) == []
