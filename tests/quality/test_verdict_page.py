"""One page that says it all, from this file alone."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from frames import manifest, task, usable
from roadworthy.quality import drift, shortcut
from roadworthy.quality.rules import Facts
from roadworthy.quality.suite import Finding, Verdict
from roadworthy.quality.verdict_page import render
from support import write_images

BLIND = shortcut.Shortcut(
    60,
    2,
    "car",
    0.5,
    0.5,
    0.5,
    0.0,
    0.0,
    tuple(shortcut.Alone(f, 0.5, 0.0) for f in shortcut.FEATURES),
)
NO_PAIRS = pd.DataFrame({"first": [], "second": [], "bits": [], "difference": [], "mirrored": []})


class Outline(HTMLParser):
    """Checks that every element is closed in order, and collects what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [v for k in ("src", "href") if (v := values.get(k))]
        self.anchors += [v for k in ("id",) if (v := values.get(k))]
        if tag not in ("meta", "link", "img", "br", "wbr", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def rows(project: Path) -> pd.DataFrame:
    """Rows of both classes over twelve real files."""
    paths = write_images(project / "data/car", 12, (320, 240))
    frame: pd.DataFrame = manifest(60)
    frame["path"] = [paths[n % 12].relative_to(project).as_posix() for n in range(60)]
    return frame


def shown(
    rows: pd.DataFrame,
    clean: pd.DataFrame,
    before: pd.DataFrame | None = None,
    pairs: pd.DataFrame = NO_PAIRS,
    found: shortcut.Shortcut = BLIND,
) -> str:
    """The page, with findings made up, so that Great Expectations need not start."""
    now = drift.snapshot(rows, clean)
    moved = (
        drift.compare(drift.snapshot(before, usable(before)), now) if before is not None else None
    )
    raw = rows.assign(reason=rows["reason"].mask(rows["readable"]))
    plan = task(label="{from: [folder]}")
    findings = (
        Finding("readable share", "error", len(clean) > 0, "this", "that", "max_unreadable"),
        Finding("shortcut", "warn", found.gain < 0.2, "this", "that", "shortcut_margin"),
    )
    verdict = Verdict("car", len(rows), len(clean), findings, (), ("aspect",), found)
    aside = rows[rows["reason"].notna()]
    return render(verdict, Facts(plan, raw, clean, found, moved), aside, pairs)


def outline(text: str) -> Outline:
    found = Outline()
    found.feed(text)
    found.close()
    assert found.open == []
    return found


def test_the_page_needs_no_network_and_leads_nowhere_wrong(rows: pd.DataFrame) -> None:
    """It is mailed about, opened years later, printed."""
    text = shown(rows, usable(rows), before=manifest(60, seed=1))
    found = outline(text)
    beside = {"quarantine.csv", "near_duplicates.csv", "data_docs/index.html"}
    for link in found.links:
        inside = link.startswith("data:") or link[1:] in found.anchors
        assert inside or link in beside, link[:60]
    assert not re.search(r"https?://|@import|url\(", text)


def test_every_kind_of_offender_has_its_picture(rows: pd.DataFrame) -> None:
    """Row numbers alone have never convinced anybody."""
    rows.loc[0, ["readable", "reason"]] = [False, "damaged: cut short"]
    rows.loc[1, "sha256"] = rows.loc[2, "sha256"]
    rows.loc[[1, 2], "reason"] = "an exact copy has another label"
    rows.loc[3, "mode"], rows.loc[4, "brightness"] = "I;16", 0.01
    clean = usable(rows[rows["reason"].isna()])
    clean.loc[[0, 1], "cluster"] = 7
    pairs = pd.DataFrame(
        {"first": clean["path"][:1], "second": clean["path"][1:2].values, "mirrored": [True]}
    )
    text = shown(rows, clean, pairs=pairs)
    words = outline(text).text
    for said in (
        "damaged: cut short",
        "an exact copy has another label: 2",
        "One picture, two labels",
        "Near-duplicates",
        "mirrored",
        "Darkest: 1 beyond",
        "Unusual mode: 1 beyond",
        "mode I;16",
    ):
        assert said in words, said
    assert words.count(rows.loc[1, "path"]) >= 1


def test_the_headline_and_the_alarm_come_first(rows: pd.DataFrame) -> None:
    """Whoever reads one line must not miss that the label shows in the shape."""
    rows["aspect"] = rows["aspect"].mask(rows["label"] == "car", 1.0)
    clean = usable(rows)
    words = outline(shown(rows, clean, found=shortcut.find(clean))).text
    assert words.index("a shortcut gives the label away") < words.index("Shortcut: aspect")
    assert words.index("Shortcut: aspect") < words.index("Findings")
    quiet = shown(manifest(60), usable(manifest(60)))
    assert "Shortcut:" not in quiet


@pytest.mark.parametrize("feature", shortcut.FEATURES)
def test_every_feature_can_be_drawn(feature: str, rows: pd.DataFrame) -> None:
    """Numbers as lanes, colours as swatches, formats as bars."""
    for name in shortcut.FEATURES[feature]:
        odd = "PNG" if name == "format" else 0.9
        rows[name] = rows[name].mask(rows["label"] == "car", odd)
    alone = (shortcut.Alone(feature, 1.0, 0.5), *BLIND.features[:2])
    text = shown(rows, usable(rows), found=replace(BLIND, gain=0.5, features=alone))
    assert f"Shortcut: {feature}" in outline(text).text


def test_names_are_text_and_not_markup(rows: pd.DataFrame) -> None:
    """Labels, sources and file names come from strangers."""
    nasty = '<script>alert("1")</script>&'
    rows["label"] = rows["label"].where(rows["label"] == "car", nasty)
    rows["source"] = np.where(rows.index % 2, nasty, "b")
    rows.loc[0, ["readable", "reason"]] = [False, nasty]
    rows["path"] = rows["path"].where(rows.index > 5, nasty + rows["path"])
    text = shown(rows, usable(rows), before=manifest(60, seed=1))
    assert "<script" not in text
    assert nasty in outline(text).text


def test_a_file_that_went_since_is_no_error(rows: pd.DataFrame) -> None:
    """The page is made after the index, and a disk is not still meanwhile."""
    for path in Path("data/car").iterdir():
        path.unlink()
    text = shown(rows, usable(rows))
    assert "no picture" in outline(text).text


def test_nothing_usable_still_makes_a_page(rows: pd.DataFrame) -> None:
    """Then it is needed most."""
    rows["readable"], rows["reason"] = False, "not an image"
    text = shown(rows, usable(rows))
    assert "cannot be used" in outline(text).text


def test_five_thousand_photographs_in_ninety_classes_fit_a_mail(project: Path) -> None:
    """Under 4 MB, with every section as full as it gets, and pictures as dense as photographs are."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize((320, 240))
    grain = np.asarray(coarse, float) + rng.normal(0, 12, (240, 320, 1))
    Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(project / "dense.png")
    rows = manifest(5000, labels=tuple(f"make{n}" for n in range(90))).assign(path="dense.png")
    rows["reason"] = [f"reason {n % 12}" if n % 5 == 0 else pd.NA for n in range(5000)]
    rows["sha256"] = rows["sha256"].where(rows.index > 99, (rows.index // 8).astype(str))
    clean = usable(rows[rows["reason"].isna()])
    clean["cluster"] = pd.array(clean.index // 9, "Int64")
    text = shown(rows, clean)
    assert text.count("<img") > 400
    assert len(text) < 4_000_000
