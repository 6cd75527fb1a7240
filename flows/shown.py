"""What a walk leaves in the Prefect UI: its stages, the decisions, the figures, the contact sheet."""

from collections.abc import Callable, Sequence
from typing import Any

from flows import artifacts, process
from flows.stage import DVC, Walked
from roadworthy.layout import folder
from roadworthy.tracking import store

LONGEST = 60_000
"""Characters of a page."""


def row(decision: dict[str, Any]) -> dict[str, Any]:
    """What people see of a decision."""
    before, judged = decision["from_version"], decision["to_version"]
    return {
        "task": decision["task"],
        "decision": decision["decision"],
        "champion before": "none" if before is None else before,
        "judged": "none" if judged is None else judged,
        "reason": decision["reason"],
    }


def show_stages(walked: Sequence[Walked]) -> None:
    """What ran, and for how long."""
    artifacts.table("stages", [one.row() for one in walked], "What DVC ran, stage by stage.")


def show_decisions(decisions: Sequence[dict[str, Any]], bento: str | None) -> None:
    """All decisions, each with the run that made its model."""
    # The reason is long, and what comes after it is out of sight.
    rows = [{"run": _run(one), **row(one)} for one in decisions]
    artifacts.table("decisions", rows, f"Packaged as `{bento}`." if bento else "Not packaged.")


def show_task(task: str) -> None:
    """The decision with its rules, and what training saw of the images."""
    page = folder(task, "promote") / "decision.md"
    if page.is_file():
        artifacts.markdown(f"decision-{task}", page.read_text(encoding="utf-8")[:LONGEST])
    artifacts.picture(f"augment-{task}", folder(task, "augment") / "contact_sheet.png")


def show_metrics(before: str, report: Callable[[str], None]) -> None:
    """What changed in the figures since a commit."""
    lines: list[str] = []
    ended = process.run([*DVC, "metrics", "diff", "--md", before], lines.append)
    if ended.status != 0:
        report(f"figures are not compared: {ended.last}")
    elif lines:
        artifacts.markdown("metrics", "\n".join(lines)[:LONGEST], f"Since {before[:10]}.")


def _run(decision: dict[str, Any]) -> str:
    """The page of the run in MLflow, as a link."""
    run_id = (decision.get("evidence") or {}).get("run")
    if not run_id:
        return ""
    uri = store.connect()
    base = uri.rstrip("/") if uri.startswith("http") else store.UI
    experiment = store.find_experiment(decision["task"])
    return f"[{run_id[:8]}]({base}/#/experiments/{experiment}/runs/{run_id})"
