"""The single comparisons: what they find, what they let pass, what they cannot say."""

import numpy as np
import pytest

from monitoring_worlds import live, reference
from roadworthy.monitoring import comparing
from roadworthy.monitoring.comparing import Comparison
from roadworthy.monitoring.evidence import Live
from roadworthy.monitoring.reference import STATISTICS, Reference


def by_name(known: Reference, window: Live) -> dict[str, Comparison]:
    return {found.name: found for found in comparing.of_images(known, window, 499, 0)}


def test_all_is_compared_and_alike() -> None:
    """Each figure has its test, and none of them finds what is not there."""
    found = by_name(reference(), live())
    assert list(found) == ["embedding", "answers", "confidence", *STATISTICS]
    for one in found.values():
        assert one.p is not None and one.p > 0.001 and one.said


@pytest.mark.parametrize("name", ["brightness", "sharpness", "blue"])
def test_one_figure_that_shifts_is_found_alone(name: str) -> None:
    """The name of the test is where a person begins to look."""
    window = live()
    moved = dict(window.statistics) | {name: 0.6 * window.statistics[name]}
    found = by_name(reference(), live(statistics=moved))
    for other, one in found.items():
        assert one.p is not None
        assert (one.p < 1e-6 and one.matters) == (other == name)
    assert "in the middle" in found[name].said


def test_what_does_not_matter_is_sure_but_no_alarm() -> None:
    """Of 5,000 images a camera that is 0.4 % brighter may be certain, and is of no consequence."""
    window = live(5_000)
    moved = dict(window.statistics) | {"red": window.statistics["red"] + 0.004}
    red = by_name(reference(1000), live(5_000, statistics=moved, embeddings=None))["red"]
    assert not red.matters
    aspects = dict(window.statistics) | {"aspect": window.statistics["aspect"] * 0.99}
    aspect = by_name(reference(1000), live(5_000, statistics=aspects, embeddings=None))["aspect"]
    assert aspect.p is not None and aspect.p < 1e-9 and aspect.effect > 0.2
    assert not aspect.matters


def test_rare_labels_that_become_common_are_found() -> None:
    """With 40 labels most cells have few images: p comes from permutations."""
    known, window = reference(150, labels=40), live(labels=40)
    assert (by_name(known, window)["answers"].p or 0) > 0.001
    shifted = np.roll(np.eye(40), 1, axis=0)[np.random.default_rng(2).integers(0, 6, 200)]
    answers = by_name(known, live(labels=40, probabilities=shifted))["answers"]
    assert answers.p is not None and answers.p < 0.005 and answers.matters


def test_what_is_missing_is_said() -> None:
    """A test that was not made must not look like one that found nothing."""
    known = reference()
    assert by_name(known, live(embeddings=None))["embedding"].said == (
        "not tested: the log has no embeddings"
    )
    older = Reference({}, known.statistics, known.probabilities, None)
    assert "the bundle has no embeddings" in by_name(older, live())["embedding"].said
    other = by_name(known, live(embeddings=np.zeros((200, 5), np.float32)))["embedding"]
    assert other.p is None and "of 5, not 12, figures" in other.said
    odd = np.full((200, 12), np.nan)
    assert by_name(known, live(embeddings=odd))["embedding"].p is None
    nothing = dict(live().statistics) | {"blue": np.full(200, np.nan)}
    assert by_name(known, live(statistics=nothing))["blue"].p is None
    assert "aspect" not in by_name(known, live(statistics={"blue": np.ones(200)}))


def test_grey_images_have_no_colours_to_test() -> None:
    """Four times the same test would cost power, and tell one thing four times."""
    rng = np.random.default_rng(0)
    colours = dict.fromkeys(("brightness", "red", "green", "blue"), rng.random(200))
    grey = by_name(
        Reference({}, colours, reference().probabilities), live(statistics=colours, embeddings=None)
    )
    assert grey["brightness"].p is not None and grey["blue"].p is None
    assert "grey" in grey["blue"].said


@pytest.mark.parametrize(
    ("refused", "sure"), [(0, False), (10, False), (13, False), (25, True), (100, True)]
)
def test_refusals_are_weighed_against_what_may_be(refused: int, sure: bool) -> None:
    """A tenth may be refused: 10 and 13 of 100 are chance, 25 are not."""
    found = comparing.refusals(live(requests=100, refused=refused), 0.1, 100)
    assert found.p is not None and (found.p < 0.002) == sure
    assert found.effect == refused / 100


def test_few_requests_and_few_opinions_say_nothing() -> None:
    """Three angry users are no measurement."""
    assert comparing.refusals(live(requests=9, refused=9), 0.1, 100).p is None
    few = comparing.accuracy(live(right=np.zeros(3, bool)), 0.9, 0.05, 20)
    assert few.p is None and "3 answers" in few.said
    assert comparing.accuracy(live(right=np.zeros(99, bool)), None, 0.05, 20).p is None


@pytest.mark.parametrize(("right", "sure"), [(50, False), (44, False), (41, False), (33, True)])
def test_accuracy_on_feedback(right: int, sure: bool) -> None:
    """0.90 on test images, 0.05 may be lost: 41 of 50 may be chance, 33 are not."""
    window = live(right=np.arange(50) < right)
    found = comparing.accuracy(window, 0.9, 0.05, 20)
    assert found.p is not None and (found.p < 0.002) == sure
    assert found.effect == pytest.approx(0.9 - right / 50)
