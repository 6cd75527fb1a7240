"""The split table as MLflow data sets, so that a run says which images it saw."""

import warnings

import mlflow.data
import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

CONTEXTS = {"train": "training", "val": "validation", "test": "testing"}
# MLflow's longest digest; a directory's hash in DVC is exactly that.
DIGEST = 36


def inputs(task: str, rows: pd.DataFrame, version: str | None) -> list[DatasetInput]:
    """One data set per split.

    Args:
        rows: the split table; columns path, label and split.
        version: DVC's hash of the data, which becomes the digest; None computes one from the rows.
    """
    return [
        DatasetInput(
            _dataset(f"{task}-{split}", rows[rows["split"] == split], version),
            [InputTag(MLFLOW_DATASET_CONTEXT, context)],
        )
        for split, context in CONTEXTS.items()
        if (rows["split"] == split).any()
    ]


def _dataset(name: str, rows: pd.DataFrame, version: str | None) -> Dataset:
    # As text only: MLflow warns of integer columns, and digests must not depend on pandas' dtypes.
    table = pd.DataFrame({key: rows[key].astype(str).to_numpy() for key in ("path", "label")})
    source = table["path"].iloc[0].split("/", 1)[0]
    digest = version[:DIGEST] if version else None
    with warnings.catch_warnings():
        # MLflow registers its class for local folders twice, and cannot choose between the two.
        warnings.filterwarnings("ignore", ".*can be interpreted in multiple ways", UserWarning)
        values = mlflow.data.from_pandas(  # type: ignore[attr-defined]
            table, source=source, targets="label", name=name, digest=digest
        ).to_dict()
    return Dataset(
        name=values["name"],
        digest=values["digest"],
        source_type=values["source_type"],
        source=values["source"],
        schema=values.get("schema"),
        profile=values.get("profile"),
    )
