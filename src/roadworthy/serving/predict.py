"""From uploaded files to answers. Blocking work, to be called in a worker thread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from starlette.datastructures import UploadFile

from roadworthy.data import images
from roadworthy.errors import DataError
from roadworthy.serving.answers import Answer, TaskAnswer
from roadworthy.serving.champions import Champion
from roadworthy.serving.limits import too_large
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.refusals import Refusal

NAME_LENGTH = 200


@dataclass(frozen=True)
class Upload:
    """One file of a request."""

    filename: str
    content: bytes


async def received(files: Sequence[UploadFile], most: int, max_bytes: int) -> list[Upload]:
    """The files of a request, read.

    Args:
        most: files of one request.
        max_bytes: of one file.

    Raises:
        Refusal: too many, or one is too large.
    """
    if len(files) > most:
        raise Refusal(
            413, "too_many_files", f"{len(files)} files are over {most}", "send fewer at a time"
        )
    if any((one.size or 0) > max_bytes for one in files):
        raise too_large(max_bytes)
    return [
        Upload((one.filename or f"file {number}")[:NAME_LENGTH], await one.read())
        for number, one in enumerate(files)
    ]


def unusable(filename: str, error: DataError) -> Refusal:
    """The refusal of a file that is no usable image."""
    return Refusal(
        422,
        "unusable_image",
        f"{filename}: {error}",
        "send a complete JPEG, PNG, WebP, BMP, GIF or TIFF file within the limits of /info",
    )


def predict(
    uploads: Sequence[Upload], champions: Mapping[str, Champion], metrics: Metrics
) -> list[TaskAnswer]:
    """Ask every one of `champions` about every file; a file is decoded once.

    Raises:
        Refusal: a file is too large or is no usable image.
    """
    prepared: dict[str, list[np.ndarray]] = {task: [] for task in champions}
    for upload in uploads:
        for task, pixels in _prepare(upload, champions).items():
            prepared[task].append(pixels)
    return [
        _ask(task, champion, uploads, np.stack(prepared[task]), metrics)
        for task, champion in champions.items()
    ]


def _prepare(upload: Upload, champions: Mapping[str, Champion]) -> dict[str, np.ndarray]:
    """The file's pixels as each champion wants them. One decoded image is in memory at a time."""
    specs = [champion.predictor.spec for champion in champions.values()]
    most_bytes = min(spec.max_bytes for spec in specs)
    if len(upload.content) > most_bytes:
        raise too_large(most_bytes)
    try:
        image = images.open_image(upload.content, min(spec.max_pixels for spec in specs))
        return {task: champion.predictor.prepare(image) for task, champion in champions.items()}
    except DataError as error:
        raise unusable(upload.filename, error) from None


def _ask(
    task: str, champion: Champion, uploads: Sequence[Upload], pixels: np.ndarray, metrics: Metrics
) -> TaskAnswer:
    start = perf_counter()
    rows = champion.predictor.probabilities(pixels)
    metrics.inference.labels(task).observe(perf_counter() - start)
    predictions = [champion.predictor.answer(row) for row in rows]
    for one in predictions:
        metrics.predictions.labels(task, champion.version, one.label, str(one.sure).lower()).inc()
    return TaskAnswer(
        task=task,
        model_version=champion.version,
        predictions=[
            Answer(
                filename=upload.filename[:NAME_LENGTH],
                label=one.label,
                probability=one.probability,
                sure=one.sure,
                probabilities=one.probabilities,
            )
            for upload, one in zip(uploads, predictions, strict=True)
        ],
    )
