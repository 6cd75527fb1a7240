"""comment: what a change does to the road, as Markdown for a pull request."""

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roadworthy import layout, params
from roadworthy.errors import RoadworthyError

# The figures above all others; the rest is folded away.
SHOWN = ("test.accuracy", "test.macro_f1", "test.log_loss", "test.ece", "stress.mean")
SCENES = ("scenes.average_precision", "scenes.recall")
# A comment may have 65,536 characters.
LONGEST_PART = 20_000
HEADING = "# "
LOST = "failed to load some metrics"

Change = Mapping[str, Any]
"""`old`, `new` and `diff` of one figure; one that is missing on a side has no such key."""


def comment(base: str, root: Path = Path()) -> str:
    """Figures against those of a commit, and what the gate decided, as Markdown.

    Args:
        base: a revision of git whose `dvc.lock` tells of results that are in DVC's cache.
        root: the checkout, where the road was walked and `roadworthy promote` has judged.

    Raises:
        RoadworthyError: DVC cannot compare.
    """
    tasks = list(params.load(root / "params.yaml").tasks)
    changed = differences(base, root)
    parts = ["## The road with this change", figures(tasks, changed), "### The gate"]
    parts += decisions(tasks, root)
    if changed:
        parts.append(
            _folded("All figures: <code>dvc metrics diff</code>", _diff(base, root, "--md"))
        )
    return "\n\n".join(parts) + "\n"


def differences(base: str, root: Path) -> dict[str, dict[str, Change]]:
    """What `dvc metrics diff` finds: task, name of the figure, change; for tasks that have one.

    Figures that did not change are there too: one end of an interval often stays.
    """
    found = json.loads(_diff(base, root, "--json", "--all"))
    return {
        Path(path).parts[1]: one for path, one in found.items() if any(map(_moved, one.values()))
    }


def figures(tasks: list[str], changed: Mapping[str, Mapping[str, Change]]) -> str:
    """One row for each of the chief figures that changed."""
    rows = [
        f"| {task} | {name} | {_cell(changes, name, 'old')} | {_cell(changes, name, 'new')} |"
        f" {_signed(changes[name])} |"
        for task, changes in sorted(changed.items())
        for name in (*SHOWN, *SCENES)
        if name in changes and _moved(changes[name])
    ]
    same = [task for task in tasks if task not in changed]
    table = ["| task | figure | before | after | change |", "|---|---|---|---|---|", *rows]
    left = [f"No figure changed: {', '.join(same)}."] if same else []
    return "\n".join([*(table if rows else []), *(["", *left] if rows and left else left)])


def decisions(tasks: list[str], root: Path) -> list[str]:
    """The decision of each task, folded up where it is long."""
    parts = []
    for task in tasks:
        path = root / layout.folder(task, "promote") / "decision.md"
        if not path.is_file():
            parts.append(f"{task}: no decision; the road did not get so far.")
            continue
        title, _, text = path.read_text(encoding="utf-8").partition("\n")
        parts.append(_folded(f"<b>{title.removeprefix(HEADING)}</b>", text.strip()))
    return parts


def _moved(change: Change) -> bool:
    return change.get("old") != change.get("new")


def _diff(base: str, root: Path, *options: str) -> str:
    command = [sys.executable, "-m", "dvc", "metrics", "diff", base, *options]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    # Without the results of the base DVC calls every figure new, and reports success.
    if done.returncode or LOST in done.stderr:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise RoadworthyError(f"dvc metrics diff {base} failed in {root.resolve()}: {last}")
    return done.stdout.strip()


def _folded(title: str, text: str) -> str:
    if len(text) > LONGEST_PART:
        text = f"{text[:LONGEST_PART].rpartition(chr(10))[0]}\n\n(cut; all of it is in the run)"
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _cell(changes: Mapping[str, Change], name: str, side: str) -> str:
    """The figure with its interval, where it has one on that side."""
    ends = [changes.get(f"{name}_{end}", {}).get(side) for end in ("low", "high")]
    interval = f" ({_number(ends[0])} to {_number(ends[1])})" if None not in ends else ""
    return f"{_number(changes[name].get(side))}{interval}"


def _number(value: object) -> str:
    known = isinstance(value, int | float) and math.isfinite(value)
    return f"{value:.3f}" if known else "none"


def _signed(change: Change) -> str:
    value = change.get("diff")
    return f"{value:+.3f}" if isinstance(value, int | float) else ""


def main(arguments: list[str]) -> None:
    """Write the comment: `python -m roadworthy.pipeline.comment BASE OUT`."""
    base, out = arguments
    Path(out).write_text(comment(base), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
