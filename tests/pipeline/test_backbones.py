"""`roadworthy backbones`."""

import pytest

from roadworthy.errors import ParamsError
from roadworthy.models import catalogue
from roadworthy.pipeline import backbones


def test_all_are_listed_with_their_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, not cut where the output is a pipe."""
    backbones.run()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = {line[0]: line[1:] for line in lines if line}
    assert set(catalogue.names()) <= set(rows)
    assert rows["inception_v3"] == ["75", "299", "27.2", "5.71", "77.3", "IMAGENET1K_V1"]
    assert rows["resnet50"] == ["1", "224", "25.6", "4.09", "80.9", "IMAGENET1K_V2"]


@pytest.mark.parametrize(("pattern", "count"), [("swin", 6), ("*_v2_?", 6), ("resnet50", 2)])
def test_a_pattern_chooses(pattern: str, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A part of the name, or a shell pattern over all of it."""
    backbones.run(pattern)
    assert capsys.readouterr().out.count("IMAGENET1K") == count


def test_a_pattern_that_matches_nothing_is_an_error() -> None:
    """Not an empty table."""
    with pytest.raises(ParamsError, match="yolo"):
        backbones.run("yolo")
