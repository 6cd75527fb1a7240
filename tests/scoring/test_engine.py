"""How Ray is started; what it does is in tests/pipeline/test_score.py."""

from pathlib import Path

import pytest

from roadworthy.bundle.format import WEIGHTS
from roadworthy.bundle.predictor import Predictor
from roadworthy.errors import DataError
from roadworthy.scoring import engine
from support import free_port, write_images


def test_a_cluster_that_does_not_answer_is_said_at_once() -> None:
    """Ray itself would try for minutes."""
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(DataError, match=f"{address} does not answer"), engine.started(1, address):
        pass


def test_a_bundle_that_was_sent_answers_alike(bundle: Path, tmp_path: Path) -> None:
    """Without the weights, which the graph has too."""
    sent = engine.parcel(bundle)
    assert WEIGHTS not in sent
    for name, content in sent.items():
        (tmp_path / name).write_bytes(content)
    pictures = write_images(tmp_path / "in", 3)
    assert Predictor(tmp_path).predict(pictures) == Predictor(bundle).predict(pictures)
