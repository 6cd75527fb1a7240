"""`report.html`: may this model drive? Everything about one model, on one page without a network."""

from html import escape

from roadworthy import page
from roadworthy.evaluation.findings import Findings
from roadworthy.evaluation.report import frame, pictures, scenes, scores, trials, words

# In the order of the page; one that has nothing to show for a task gives an empty text.
SECTIONS = {
    "Figures": scores.figures,
    "Per class": scores.classes,
    "Confusion": scores.confusion,
    "Calibration": scores.calibration,
    "Threshold": scores.threshold,
    "Confidence": scores.confidence,
    "Slices": trials.slices,
    "Robustness": trials.robustness,
    "Behaviour": trials.behaviour,
    "Scenes": scenes.scenes,
    "Explanations": pictures.explanations,
    "Errors": pictures.errors,
    "Same images": pictures.fixed,
    "Training": trials.training,
    "Speed and size": trials.speed,
    "Data and lineage": trials.lineage,
    "Cost and carbon": trials.cost,
}


def render(found: Findings) -> str:
    """The page; all of it is in this one text, scripts and pictures too."""
    shown = {name: content for name, make in SECTIONS.items() if (content := make(found))}
    links = " ".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name in shown)
    body = "".join(
        f'<section id="{_anchor(name)}"><h2>{escape(name)}</h2>{content}</section>'
        for name, content in shown.items()
    )
    tiles = "".join(page.tile(*content) for content in _tiles(found))
    head = f'{_headline(found)}<div class="tiles">{tiles}</div><nav>{links}</nav>'
    return page.page(f"Test drive: {found.task}", head + body + frame.scripts(), frame.STYLE)


def _headline(found: Findings) -> str:
    against = words.concerns(found)
    kind = "bad" if any(one.grave for one in against) else "warn" if against else "good"
    lines = "".join(
        f'<li><span class="{"bad" if one.grave else "warn"}">{"serious" if one.grave else "minor"}:'
        f'</span> {escape(one.words)} <a href="#{_anchor(one.section)}">{escape(one.section)}</a></li>'
        for one in against
    )
    listed = f'<h3>What speaks against it</h3><ul class="against">{lines}</ul>' if against else ""
    return (
        f'<h1>{escape(found.task)}: <span class="{kind}">{escape(words.verdict(found))}</span></h1>'
        f'<p class="lead">{escape(words.headline(found))} <span class="muted">Whether it replaces '
        f"the model in service is decided by the gate, on the same images.</span></p>{listed}"
    )


def _tiles(found: Findings) -> list[tuple[str, str, str]]:
    figures = found.figures
    accuracy = figures["accuracy"]
    tiles = [("accuracy", words.percent(accuracy.value), words.span(accuracy))]
    second = "pr_auc" if found.kind == "binary" and "pr_auc" in figures else "macro_f1"
    if second in figures:
        tiles.append((words.figure(second), f"{figures[second].value:.3f}", _range(found, second)))
    tiles += scenes.tiles(found)
    if "ece" in figures:
        before = figures.get("ece_before")
        text = f"temperature {found.fitted.temperature:.3g}"
        text = f"was {before.value:.3f} before {text}" if before else text
        tiles.append(("calibration error", f"{figures['ece'].value:.3f}", text))
    row = words.held_back(found)
    if row is not None:
        kept = f"of the others {words.percent(row['accuracy'])} right"
        rest = kept if row["coverage"] else "no answer is sure"
        tiles.append(("answers held back", words.percent(1 - row["coverage"]), rest))
    tiles.append(
        (
            words.BLIND,
            words.percent(found.baseline),
            "a classifier that sees no picture",
        )
    )
    if found.speed is not None:
        latency = f"{found.speed.latency_ms:.3g} ms"
        tiles.append(
            ("one image takes", latency, f"{found.speed.throughput:.3g} images/s in batches")
        )
    return tiles


def _range(found: Findings, name: str) -> str:
    text = words.interval(found.figures[name])
    return "no interval" if text == "–" else text


def _anchor(section: str) -> str:
    return section.casefold().replace(" ", "-")
