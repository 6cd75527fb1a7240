"""index: one row per image."""

from roadworthy.data import manifest
from roadworthy.layout import folder, replacing
from roadworthy.params import TaskPlan
from roadworthy.progress import bar

MANIFEST = "manifest.parquet"


def run(plan: TaskPlan) -> None:
    """Write the manifest of a task's images.

    Raises:
        DataError: the folder is missing or holds no images.
    """
    with bar(f"index {plan.name}") as progress:
        rows = manifest.build(plan, progress)
    with replacing(folder(plan.name, "index")) as out:
        rows.to_parquet(out / MANIFEST, index=False)
