"""The bundle as an MLflow model, so that `mlflow.pyfunc.load_model("models:/car@champion")` works.

MLflow copies this file beside the bundle and runs it on loading: nothing is pickled. Where
Roadworthy is installed, its own `Predictor` answers; elsewhere the source that travels with the
model does.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

if TYPE_CHECKING:
    from roadworthy.bundle.predictor import Picture

COLUMN = "image"


class BundleModel(PythonModel):
    """Answers with a table: `label`, `probability`, `sure`, and one `p_LABEL` per label."""

    # Without this MLflow warns, on every load, that `model_input` has no type hint; with one, that
    # it is no schema it knows. There is none for images in several forms.
    _skip_type_hint_validation = True

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle among the model's artifacts."""
        try:
            from roadworthy.bundle.predictor import Predictor
        except ModuleNotFoundError:
            sys.path.append(str(Path(context.artifacts["source"])))
            from roadworthy.bundle.predictor import Predictor

        self.predictor = Predictor(Path(context.artifacts["bundle"]))

    def predict(  # type: ignore[no-untyped-def]
        self, context: PythonModelContext, model_input, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Answer images; the result has one row per image, in their order.

        Args:
            context: not used.
            model_input: encoded bytes, paths, uint8 arrays (H, W, C), a list of them, one array
                (N, H, W, C), or a DataFrame with the column `image`.
            params: not used.

        Raises:
            DataError: an image cannot be used.
        """
        answers = self.predictor.predict(pictures(model_input))
        return pd.DataFrame(
            [
                {
                    "label": answer.label,
                    "probability": answer.probability,
                    "sure": answer.sure,
                    **{f"p_{label}": value for label, value in answer.probabilities.items()},
                }
                for answer in answers
            ],
            columns=[
                *("label", "probability", "sure"),
                *(f"p_{label}" for label in self.predictor.spec.labels),
            ],
        )


def pictures(model_input: Any) -> "list[Picture]":
    """The images in any form that `predict` takes, as a list.

    Raises:
        DataError: a DataFrame without the column `image`.
    """
    if isinstance(model_input, pd.DataFrame):
        if COLUMN not in model_input:
            from roadworthy.errors import DataError

            raise DataError(f"a DataFrame needs the column {COLUMN!r}, with bytes, paths or arrays")
        return list(model_input[COLUMN])
    if isinstance(model_input, np.ndarray) and model_input.dtype != object:
        return list(model_input) if model_input.ndim == 4 else [model_input]
    if isinstance(model_input, (bytes, str, Path)):
        return [model_input]
    return list(model_input)


mlflow.models.set_model(BundleModel())
