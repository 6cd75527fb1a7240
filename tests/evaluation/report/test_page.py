"""One page that says it all, from this file alone; and a real browser draws it without a complaint."""

import base64
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from findings_made import made
from roadworthy.evaluation import report
from roadworthy.evaluation.findings import Findings
from scenes_made import scenes

VOID = ("meta", "link", "img", "br", "wbr", "input")
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
# Waits until the page in the frame has drawn, then moves the handle, prints, and says what it saw.
PROBE = """<body style="margin:0"><iframe src="{page}" width="{width}" height="2000"></iframe><script>
const frame = document.querySelector("iframe");
const wait = setInterval(() => {{
  const page = frame.contentDocument, root = page.documentElement;
  if (!root.dataset.charts) return;
  clearInterval(wait);
  const range = page.querySelector(".slider input"), figures = page.querySelector(".slider dl");
  const before = figures.textContent;
  range.value = 0.9;
  range.dispatchEvent(new Event("input"));
  frame.contentWindow.dispatchEvent(new Event("beforeprint"));
  frame.contentWindow.dispatchEvent(new Event("afterprint"));
  const seen = {{
    charts: page.querySelectorAll(".chart").length,
    drawn: page.querySelectorAll(".plot svg").length,
    marks: page.querySelectorAll(".plot svg path").length,
    overflow: root.scrollWidth - root.clientWidth,
    moved: figures.textContent !== before,
  }};
  document.body.dataset.seen = btoa(JSON.stringify(seen));
}}, 100);
</script></body>"""


class Outline(HTMLParser):
    """Checks that every element is closed in order; collects links, anchors, tables and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.section, self.text, self.style = "", "", ""
        self.rows: dict[str, list[list[str]]] = {}
        self.data: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.add(tag)
        self.links += [
            v for k in ("src", "href", "srcset", "data", "action") if (v := values.get(k))
        ]
        assert not [name for name in values if name.startswith("on")]
        if tag == "section":
            self.section = values["id"] or ""
        if tag == "tr":
            self.rows.setdefault(self.section, []).append([])
        if tag in ("td", "th"):
            self.rows[self.section][-1].append("")
        if tag == "script" and values.get("type") == "application/json":
            self.data.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            if self.data and not self.data[-1]:
                self.data[-1] = data
        elif "style" in self.open:
            self.style += data
        else:
            self.text += data
            if {"td", "th"} & set(self.open):
                self.rows[self.section][-1][-1] += data


def outline(found: Findings) -> Outline:
    shown = Outline()
    shown.feed(report.render(found))
    shown.close()
    assert not shown.open
    return shown


@pytest.mark.parametrize("classes", [2, 13])
def test_every_section_is_there_and_led_to(classes: int) -> None:
    """The jump list and the page are the same list; threshold and search are for two classes only."""
    found = made(classes, scenes=scenes(12) if classes == 2 else None)
    page = report.render(found)
    binary = ("Threshold", "Scenes")
    names = [name for name in report.SECTIONS if classes == 2 or name not in binary]
    anchors = [name.casefold().replace(" ", "-") for name in names]
    assert re.findall(r'<section id="([^"]+)">', page) == anchors
    listed = re.search(r"<nav>(.*?)</nav>", page)
    assert listed and re.findall(r'href="#([^"]+)"', listed[1]) == anchors


def test_nothing_is_loaded_from_anywhere() -> None:
    """It is opened from a file, on a machine without a network."""
    shown = outline(made(2))
    assert all(link.startswith(("#", "data:")) for link in shown.links)
    assert "@import" not in shown.style and "url(" not in shown.style
    assert not {"iframe", "object", "embed", "base", "form"} & shown.tags


def test_the_numbers_are_those_of_the_findings() -> None:
    """No figure of the page is computed anew or rounded away."""
    found = made(13)
    rows = outline(found).rows
    for row, one in zip(rows["figures"][1:], found.figures.values(), strict=False):
        assert row[1] == f"{one.value:.3f}{one.low:.3f} to {one.high:.3f}"
    for row, one in zip(rows["figures"][1:], found.validation.values(), strict=False):
        assert row[2] == f"{one.value:.3f}{one.low:.3f} to {one.high:.3f}"
    classes = {row[0]: row for row in rows["per-class"][1:]}
    for one in found.classes.to_dict("records"):
        low, high = one["f1_low"], one["f1_high"]
        written = [f"{one['f1']:.3f}", f"{low:.3f} to {high:.3f}"]
        assert classes[one["class"]][1] == str(one["images"])
        assert classes[one["class"]][-2:] == written
    slices = [row for row in rows["slices"] if len(row) == 7][1:]
    assert [row[0] for row in slices] == list(found.slices["slice"])
    assert [row[2] for row in slices] == [f"{100 * v:.1f}%" for v in found.slices["accuracy"]]
    pairs = [row for row in rows["confusion"] if len(row) == 4][1:]
    assert [int(row[2]) for row in pairs] == list(found.confusions["images"][: len(pairs)])
    assert [row[0] for row in rows["behaviour"][1:]] == ["passed", "passed", "failed"]


def test_a_handle_starts_at_what_was_chosen() -> None:
    """Without JavaScript, and on paper, its figures are those of the threshold in use."""
    found = made(2)
    page = report.render(found)
    row = found.thresholds.set_index("threshold").loc[0.43]
    for name in ("precision", "recall", "f1", "coverage", "cost"):
        assert f'<dd data-column="{name}">{row[name]:.3f}</dd>' in page
    assert "<output>0.430</output>" in page and "<output>0.600</output>" in page


def test_a_handle_stands_between_two_steps() -> None:
    """Protects sure models: 0.9962 and 0.9999996 are not rounded to the next row, which finds nothing."""
    found = made(2)
    rows = found.thresholds.iloc[[0, 43, 100]].assign(threshold=[0.0, 0.9999996, 1.0])
    held = found.confidences.iloc[[0, 60, 100]].assign(
        confidence=[0.0, 0.9962, 1.0], accuracy=[0.9, 0.97531, float("nan")]
    )
    fitted = replace(found.fitted, threshold=0.9999996, sure=0.9962)
    shown = outline(replace(found, fitted=fitted, thresholds=rows, confidences=held))
    sliders = [json.loads(text) for text in shown.data if text.startswith("[")]
    assert [row["threshold"] for row in sliders[0]] == [0.0, 0.9999996, 1.0]
    assert [row["confidence"] for row in sliders[1]] == [0.0, 0.9962, 1.0]
    assert f"recall{rows['recall'].iloc[1]:.3f}" in shown.text and "accuracy0.975" in shown.text
    assert "threshold 0.9999996" in shown.text and "confidence 0.9962" in shown.text
    assert "nan" not in shown.text


def test_calibration_says_whose_probability_it_speaks_of() -> None:
    """With a threshold the answer may be the less likely class."""
    assert "likelier class, whatever the threshold" in outline(made(2)).text
    assert "confidence is the probability of the answer" in outline(made(13)).text


def test_hostile_names_stay_text() -> None:
    """Labels and file names are anybody's; none may run, or end what it stands in."""
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
    found = made(2)
    shot = replace(found.errors[0], label=evil, predicted=evil, path=f"a/{evil}.jpg")
    named = {name: getattr(found, name).copy() for name in ("classes", "confusions", "slices")}
    named["classes"]["class"] = ["other", evil]
    named["confusions"][["truth", "answer"]] = [["other", evil]] * len(named["confusions"])
    named["slices"]["slice"] = [evil] * len(named["slices"])
    bad = replace(
        found,
        task=evil,
        labels=("other", evil),
        errors=[shot],
        fixed=[shot],
        explained={"best": [shot]},
        lineage={evil: evil},
        behaviour=found.behaviour.assign(words=evil, check=evil),
        stress=found.stress.replace("blur", evil),
        **named,
    )
    shown = outline(bad)  # an `onerror` would stop the parser here
    assert "x" not in shown.links
    assert report.render(bad).count("alert(1)</script>") == 0
    specs = [json.loads(text) for text in shown.data]
    assert any(evil in json.dumps(spec, ensure_ascii=False).replace('\\"', '"') for spec in specs)
    assert evil in shown.text


def test_what_was_not_measured_says_why() -> None:
    """An absent section would look like a good one."""
    found = made(2)
    tables = (
        "slices",
        "stress",
        "behaviour",
        "reliability",
        "confusions",
        "thresholds",
        "confidences",
    )
    bare = replace(
        found,
        speed=None,
        spent=None,
        history=[],
        explained={},
        errors=[],
        fixed=[],
        figures={"accuracy": found.figures["accuracy"]},
        **dict.fromkeys(tables, pd.DataFrame()),
    )
    text = outline(bare).text
    for words in (
        "No slice has enough images",
        "evaluate.stress is 0",
        "Not checked.",
        "evaluate.explain is 0",
        "Not measured.",
        "Not recorded.",
        "history of this training is not at hand",
        "No class was taken for another.",
    ):
        assert words in text
    assert "nan" not in text


def test_every_chart_has_a_name_of_its_own_and_something_without_javascript() -> None:
    """A reader whose browser runs no scripts still gets the figures."""
    page = report.render(made(2))
    names = re.findall(r'class="chart[^"]*" data-name="([^"]+)"', page)
    assert len(names) == len(set(names)) > 8
    assert len(re.findall(r"<noscript><", page)) == len(names)


def test_a_report_on_120_classes_stays_small() -> None:
    """It is attached to a run and opened on a phone."""
    assert len(report.render(made(120, images=3000)).encode()) < 3_000_000


@pytest.mark.skipif(not BROWSER, reason="no chromium is installed: apt-get install chromium")
@pytest.mark.parametrize(
    ("classes", "width"),
    [
        (2, 390),
        pytest.param(120, 390, marks=pytest.mark.slow),
        pytest.param(13, 1280, marks=pytest.mark.slow),
    ],
)
def test_a_browser_draws_it_without_a_complaint(classes: int, width: int, tmp_path: Path) -> None:
    """From a file: every chart becomes a picture, the handle moves, a phone need not scroll sideways."""
    seen = scenes(12, pictures=True) if classes == 2 else None
    page = report.render(made(classes, images=700, scenes=seen))
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    probe = tmp_path / "probe.html"
    probe.write_text(PROBE.format(page="report.html", width=width), encoding="utf-8")
    ran = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",  # so that the probe may look into the frame
            f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr",
            "--v=0",
            "--virtual-time-budget=60000",
            "--window-size=1400,2000",
            "--dump-dom",
            probe.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert not [line for line in ran.stderr.splitlines() if "CONSOLE" in line]
    found = re.search(r'data-seen="([^"]+)"', ran.stdout)
    assert found, "the charts were never drawn"
    shown = json.loads(base64.b64decode(found[1]))
    assert shown["drawn"] == shown["charts"] > 8 and shown["marks"] > 100
    assert shown["moved"] and shown["overflow"] == 0
