"""prune: remove old runs, versions and their files, as `prune:` in params.yaml says."""

import typer

from roadworthy.params import TaskPlan
from roadworthy.tracking.prune import Pruned, prune

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def run(plan: TaskPlan, dry_run: bool = False) -> Pruned:
    """Prune one task and say what went.

    Args:
        dry_run: only say what would go.

    Raises:
        TrackingError: the store cannot be reached, or somebody changes the task right now.
    """
    found = prune(plan.name, plan.prune, dry_run)
    typer.echo(f"{plan.name}: {sentence(found, dry_run)}")
    if found.note:
        typer.echo(f"{plan.name}: {found.note}")
    return found


def sentence(found: Pruned, dry_run: bool) -> str:
    """What went, in words."""
    counts = {
        "versions": len(found.versions),
        "runs": found.runs,
        "models": found.models,
        "cached bundles": found.cached,
    }
    if not any(counts.values()):
        return "nothing is old enough to go"
    what = ", ".join(
        f"{count} {name.removesuffix('s') if count == 1 else name}"
        for name, count in counts.items()
        if count
    )
    names = f" ({', '.join(found.versions)})" if found.versions else ""
    verb = "would be removed" if dry_run else "removed"
    return f"{what} {verb}{names}, {readable(found.freed)} freed"


def readable(size: float) -> str:
    """Bytes as people say it, such as `1.5 GB`."""
    for unit in UNITS:
        if size < 1000 or unit == UNITS[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == UNITS[0] else f"{size:.1f} {unit}"
