"""The report's sections that show images."""

import base64
from collections.abc import Sequence
from html import escape

from PIL import Image

from roadworthy import page
from roadworthy.evaluation.findings import Findings, Shot
from roadworthy.evaluation.report import words

KINDS = {
    "best": ("Surest right answers", "What a good answer is based on."),
    "worst": ("Surest wrong answers", "What it was misled by."),
    "doubtful": ("Most doubtful answers", "Where it could not decide."),
}


def explanations(found: Findings) -> str:
    """Images beside the parts of them that spoke for the answer."""
    parts = []
    for kind, shots in found.explained.items():
        title, note = KINDS.get(kind, (kind, ""))
        if shots:
            shown = "".join(map(_pair, shots))
            parts.append(
                f"<h3>{escape(title)}</h3><p class=muted>{escape(note)}</p>"
                f'<div class="pairs">{shown}</div>'
            )
    if not parts:
        return "<p>Not made: evaluate.explain is 0.</p>"
    text = (
        "Left the image as the network saw it, right the parts that spoke for its answer (by captum). "
        "Heat on the background, a border or a caption is a warning: it may have learned that instead."
    )
    return f"<p>{escape(text)}</p>{''.join(parts)}"


def errors(found: Findings) -> str:
    """Wrong answers, the surest first, then the right ones that were least sure."""
    if not found.errors:
        return ""
    wrong = sum(one.wrong for one in found.errors)
    text = (
        f"{words.count(wrong, 'wrong answer')} framed in red, the surest first; then the right ones "
        "that were least sure."
    )
    return f"<p>{escape(text)}</p>{_gallery(found.errors)}"


def fixed(found: Findings) -> str:
    """The images that every run shows."""
    if not found.fixed:
        return ""
    text = (
        "These images are the same in every run of this task, so that two reports can be laid side "
        "by side. Wrong answers are framed in red."
    )
    return f"<p>{escape(text)}</p>{_gallery(found.fixed)}"


def _gallery(shots: Sequence[Shot]) -> str:
    return page.photos(
        page.photo(one.image, _caption(one), f"{one.path} {one.sha256}", one.wrong) for one in shots
    )


def _caption(one: Shot) -> list[str]:
    said = f"said {one.predicted} {one.probability:.2f}"
    return [f"is {one.label}", said, one.sha256[:8]]


def _pair(one: Shot) -> str:
    images = _image(one.image, f"the image {one.path}")
    if one.heat is not None:
        images += _image(one.heat, "what spoke for the answer")
    caption = "<br>".join(escape(line) for line in _caption(one))
    kind = ' class="marked"' if one.wrong else ""
    return (
        f'<figure{kind} title="{escape(one.path)}"><div class="two">{images}</div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _image(image: Image.Image, says: str) -> str:
    source = base64.b64encode(page.jpeg(image)).decode()
    return f'<img alt="{escape(says)}" src="data:image/jpeg;base64,{source}">'
