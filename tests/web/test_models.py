"""What a person reads on the second view: how good the champions are and how they are doing."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from contract_models import model, models, nobody
from visits import Visit

pytestmark = pytest.mark.slow
Open = Callable[..., Visit]
TWO = ["other", "police"]


def many(count: int) -> list[str]:
    return [f"Make {number:03}" for number in range(count)]


def test_every_champion_is_in_the_list_and_can_be_chosen(visit: Open) -> None:
    """The address names the task, so that it can be sent to a colleague."""
    seen = visit("#/models", models=models(police=model(TWO), brand=model(many(13), version=5)))
    table = seen.page.get_by_role("table", name="Champion of every task")
    expect(table.get_by_role("row")).to_have_count(3)
    row = table.get_by_role("row").nth(1)
    for words in ("police", "v3", "90.0 %", "12,345", "18 ms", "61 ms"):
        expect(row).to_contain_text(words)
    expect(seen.page.get_by_role("region", name="Champion of police")).to_be_visible()
    table.get_by_role("link", name="brand").click()
    expect(seen.page).to_have_url(re.compile("#/models/brand$"))
    expect(seen.page.get_by_role("region", name="Champion of brand")).to_be_visible()
    seen.page.reload()
    expect(seen.page.get_by_role("region", name="Champion of brand")).to_be_visible()


def test_figures_come_with_their_intervals(visit: Open) -> None:
    """A figure without its interval is half of the truth."""
    seen = visit("#/models", models=models(police=model(TWO)))
    figures = seen.page.get_by_role("region", name="Figures")
    expect(figures.get_by_role("row", name="Accuracy")).to_contain_text("85.0 % to 94.0 %")
    expect(figures.get_by_role("row", name="Log loss")).to_contain_text("0.310")
    details = seen.page.get_by_role("region", name="Champion of police")
    expect(details).to_contain_text("brightness")
    expect(details.get_by_label("drifted")).to_be_visible()
    link = details.get_by_role("link", name="MLflow")
    expect(link).to_have_attribute("href", "http://mlflow.example/")
    expect(details.get_by_role("link", name="Report")).to_have_count(0)
    decisions = details.get_by_role("region", name="Promotions").get_by_role("listitem")
    expect(decisions.nth(0)).to_contain_text("promoted")
    expect(decisions.nth(1)).to_contain_text("too slow")


def test_the_threshold_reads_the_curve(visit: Open) -> None:
    """Precision and recall at the handle, by keyboard too."""
    seen = visit("#/models", models=models(police=model(TWO)))
    panel = seen.page.get_by_role("region", name="Precision and recall")
    expect(panel).to_contain_text("precision 75.0 %, recall 50.0 %")
    slider = panel.get_by_role("slider", name="Threshold")
    slider.press("End")
    expect(panel).to_contain_text("precision 100.0 %, recall 0.0 %")


@pytest.mark.parametrize("labels", [2, 13, 120])
def test_the_confusion_matrix_is_read_cell_by_cell(visit: Open, labels: int) -> None:
    """With the pointer, with the arrow keys, and as a table, for many labels too."""
    names = TWO if labels == 2 else many(labels)
    seen = visit("#/models", models=models(task=model(names)))
    panel = seen.page.get_by_role("region", name="Confusion matrix")
    grid = panel.get_by_role("application")
    grid.focus()
    expect(panel).to_contain_text(f"{names[0]}: 9 of 10 answered right")
    grid.press("ArrowRight")
    expect(panel).to_contain_text(f"{names[0]}: 1 of 10 answered {names[1]}")
    grid.press("ArrowLeft")
    grid.press("ArrowUp")
    expect(panel).to_contain_text(f"{names[0]}: 9 of 10 answered right")
    panel.get_by_role("button", name="Table").click()
    rows = panel.get_by_role("row")
    expect(rows).to_have_count(labels + 1)
    expect(rows.nth(1)).to_contain_text(f"{names[1]} 1")
    expect(rows.nth(1)).to_contain_text("90 %")


def test_what_is_not_known_is_said(visit: Open) -> None:
    """A bundle of long ago has none of this; the view stands all the same."""
    seen = visit("#/models/nothing", models=models(old=nobody()))
    details = seen.page.get_by_role("region", name="Champion of old")
    for words in ("No figures", "No curve", "Not measured", "Nothing was decided", "Too few"):
        expect(details).to_contain_text(words)
    expect(seen.page.get_by_text("No task is called nothing")).to_be_visible()


def test_no_champions_and_no_answer(visit: Open) -> None:
    """Words in the place of an empty view."""
    empty = visit("#/models", models=models())
    expect(empty.page.get_by_text("No champion yet")).to_be_visible()
    lost = visit("#/")

    def refuse(route: Route) -> None:
        route.fulfill(status=429, json={"error": "busy", "message": "too many", "hint": "wait"})

    lost.page.route("**/models", refuse)
    lost.page.get_by_role("navigation").get_by_role("link", name="Models").click()
    expect(lost.page.get_by_role("alert")).to_contain_text("too many")
    lost.page.unroute("**/models")


def test_looking_at_a_model_keeps_the_answers(visit: Open) -> None:
    """Who comes back finds what was asked before."""
    seen = visit(models=models(police=model(TWO)))
    seen.page.get_by_role("button", name="Jeep").or_(
        seen.page.get_by_role("button", name="Front of a car")
    ).click()
    expect(seen.page.get_by_test_id("answer-police")).to_be_visible()
    views = seen.page.get_by_role("navigation")
    views.get_by_role("link", name="Models").click()
    expect(seen.page.get_by_role("heading", name="Champions in service")).to_be_visible()
    views.get_by_role("link", name="Ask").click()
    expect(seen.page.get_by_test_id("answer-police")).to_be_visible()
    assert seen.asked("/predict") == 1
