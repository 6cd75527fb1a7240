"""`POST /explain`: which parts of an image spoke for an answer, as a picture to lay over it."""

from dataclasses import dataclass
from string import printable
from typing import Annotated
from urllib.parse import quote

from fastapi import FastAPI, Form, Response

from roadworthy.bundle.explain import Method
from roadworthy.bundle.heatmap import SIDE, heat_map
from roadworthy.bundle.predictor import scaled_to
from roadworthy.data import images
from roadworthy.errors import DataError
from roadworthy.serving.answers import REFUSALS
from roadworthy.serving.champions import Champion
from roadworthy.serving.context import Context
from roadworthy.serving.lane import Lane
from roadworthy.serving.limits import too_large
from roadworthy.serving.predict import ALL, Files, Urls, choose
from roadworthy.serving.refusals import Refusal
from roadworthy.serving.uploads import Upload, received, unusable

# Printable ASCII stays as it is in a header, but for what ends it and for the escape itself.
PLAIN = "".join(set(printable) - set("%\t\n\r\x0b\x0c"))
HEADERS = {
    "x-label": "The label that is explained; percent-encoded where it is not plain ASCII",
    "x-probability": "Its probability, calibrated",
    "x-method": "`grad-cam`, or `occlusion` where the network has no map that is fine enough",
}
PICTURE = {
    "description": "A heat map to stretch over the upright image: RGBA, transparent where it is cold "
    f"or was not looked at; as large as the image, its longer side {SIDE} pixels at most",
    "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    "headers": {
        name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.items()
    },
}


@dataclass(frozen=True)
class Explained:
    """A heat map, and of what."""

    picture: bytes
    """PNG."""
    label: str
    probability: float
    """Of the label, calibrated."""
    method: Method


def add_route(app: FastAPI, context: Context) -> None:
    """Let `app` answer `/explain`."""
    # Occlusion asks the network some 60 times: whoever wants answers shall not wait for several.
    lane = Lane()

    @app.post(
        "/explain",
        response_class=Response,
        responses={**REFUSALS, 200: PICTURE},
        summary="Show which parts of an image spoke for an answer",
    )
    async def answer(
        file: Files = [],  # noqa: B006 - FastAPI copies it
        url: Urls = [],  # noqa: B006
        task: Annotated[str | None, Form(description="A task of /tasks", examples=["car"])] = None,
        label: Annotated[
            str | None, Form(description="A label of that task; without it the one answered")
        ] = None,
    ) -> Response:
        """Explain one champion's answer about one image."""
        lane.check()
        champion = _one(context, task)
        number = label_number(champion, label)
        (upload,) = await received(file, url, context, most=1)
        made = await lane.run(explain, upload, champion, number)
        headers = {
            "x-label": quote(made.label, safe=PLAIN),
            "x-probability": f"{made.probability:.6f}",
            "x-method": made.method,
        }
        return Response(made.picture, media_type="image/png", headers=headers)


def label_number(champion: Champion, label: str | None) -> int | None:
    """The place of a label among the champion's; None for none.

    Raises:
        Refusal: the champion has no such label.
    """
    if not label:
        return None
    labels = champion.predictor.spec.labels
    if label not in labels:
        raise Refusal(
            422,
            "unknown_label",
            f"{champion.predictor.spec.task} has no label {label[:60]!r}",
            "/tasks lists the labels of every task",
        )
    return labels.index(label)


def explain(upload: Upload, champion: Champion, label: int | None = None) -> Explained:
    """Explain one answer. Blocking.

    Args:
        label: number of the label; None explains the one that is answered.

    Raises:
        Refusal: the image is too large or cannot be used.
    """
    spec = champion.predictor.spec
    if len(upload.content) > spec.max_bytes:
        raise too_large(spec.max_bytes)
    try:
        decoded = images.decode(upload.content, spec.max_pixels, scaled_to(spec.input))
        pixels = champion.predictor.prepare(decoded.image)
    except DataError as error:
        raise unusable(upload.filename, error) from None
    heat = champion.explainer.heat(pixels, label)
    return Explained(
        picture=heat_map(heat.values, spec.input, (decoded.width, decoded.height)),
        label=spec.labels[heat.label],
        probability=float(heat.probabilities[heat.label]),
        method=heat.method,
    )


def _one(context: Context, task: str | None) -> Champion:
    champions = context.served.champions
    if task == ALL:
        names = ", ".join(champions)
        raise Refusal(422, "no_task", "one task is explained at a time", f"one of: {names}")
    (champion,) = choose(champions, task).values()
    return champion
