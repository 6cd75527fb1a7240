"""The section on scenes has the findings' figures, its curve and its pictures."""

import json
import re
from dataclasses import replace

import pandas as pd

from findings_made import made
from roadworthy.evaluation import report
from roadworthy.evaluation.report import scenes as section
from roadworthy.evaluation.report import words
from scenes_made import scenes


def test_figures_sizes_and_pictures_are_those_of_the_findings() -> None:
    """Nothing is reckoned anew; the chosen threshold is said whole."""
    seen = scenes(16, pictures=True, hit=0.7)
    shown = section.scenes(made(2, scenes=replace(seen, threshold=0.9962)))
    for name, one in seen.figures.items():
        assert words.SCENES[name][0] in shown
        assert f"{one.value:.3f}<br><small>{one.low:.3f} to {one.high:.3f}" in shown
    for row in seen.sizes.to_dict("records"):
        assert f"<td>{row['size']}</td>" in shown
    assert shown.count("data:image/jpeg;base64,") == len(seen.pictures) == 3
    assert "score of 0.9962" in shown and ">nan" not in shown


def test_the_deciding_figures_are_tiles() -> None:
    """They are seen before anything is read; a task without scenes has none."""
    seen = scenes(16)
    page = report.render(made(2, scenes=seen))
    area = seen.figures["average_precision"]
    assert f'area, whole scenes</div><div class="figure">{area.value:.3f}<' in page
    assert "equal error, scenes" in page
    assert section.tiles(made(2)) == [] and section.scenes(made(2)) == ""


def test_the_curve_keeps_its_shape_when_it_is_thinned() -> None:
    """Ten thousand false alarms do not make a page of megabytes, nor move the curve."""
    seen = scenes(80, alarms=60.0)
    values = section.precision_recall(seen)["data"]["values"]
    assert len(seen.curve) > 3000 and len(values) <= section.POINTS + 2
    drawn = pd.DataFrame(values)
    for recall in (0.1, 0.3, 0.5, 0.7):
        best = [t.loc[t["recall"] >= recall, "precision"].max() for t in (seen.curve, drawn)]
        assert abs(best[0] - best[1]) < 0.02
    assert drawn["recall"].iloc[-1] == round(seen.curve["recall"].iloc[-1], 6)
    json.dumps(values, allow_nan=False)


def test_without_a_car_there_is_no_curve_but_the_alarms() -> None:
    """The section says so, and draws nothing that could be taken for a result."""
    seen = scenes(1, alarms=4.0)
    shown = section.scenes(made(2, scenes=seen))
    assert "there is no curve" in shown and "false alarms per image" in shown
    assert not re.search(r'class="plot"', shown) and section.tiles(made(2, scenes=seen)) == []
