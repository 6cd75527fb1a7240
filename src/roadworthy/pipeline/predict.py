"""predict: ask a champion about image files."""

import json
from dataclasses import asdict
from pathlib import Path

import typer

from roadworthy.bundle.predictor import Predictor
from roadworthy.errors import DataError, TrackingError
from roadworthy.tracking import registry


def run(paths: list[Path], task: str, as_json: bool) -> None:
    """Print one line per image; an image that cannot be used is named and the rest go on.

    Raises:
        TrackingError: the task has no champion.
        DataError: some image could not be used; raised after all were tried.
    """
    champion = registry.champion(task)
    if champion is None:
        raise TrackingError(f"{task!r} has no champion: `make run` trains and promotes one")
    predictor = Predictor(registry.bundle_folder(champion))
    failed = []
    for path in paths:
        try:
            (answer,) = predictor.predict([path])
        except DataError as error:
            failed.append(f"{path}: {str(error).removeprefix('image 0: ')}")
            continue
        line = {"path": str(path), "model": champion.name, **asdict(answer)}
        doubt = "" if answer.sure else "  (not sure)"
        plain = f"{path}  {answer.label}  {answer.probability:.3f}{doubt}"
        typer.echo(json.dumps(line) if as_json else plain)
    if failed:
        raise DataError("\n".join(failed))
