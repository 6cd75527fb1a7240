"""Where a model comes from: code, data, parameters, backbone, run. One record for all who ask."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import yaml

from roadworthy.bundle.format import Lineage
from roadworthy.params import TaskPlan

DATA = "data.dvc"
# A running `dvc repro` rewrites its own lock file, which says nothing about the code.
REWRITTEN = "dvc.lock"


def collect(
    params_hash: str,
    backbone: str | None,
    run_id: str | None = None,
    root: Path = Path(),
) -> Lineage:
    """Describe the working tree at `root`.

    Args:
        params_hash: of the task's resolved plan, see `params_hash`.
        backbone: what training began from; None from scratch.
        run_id: the MLflow run.

    Returns:
        The record. Without git, commit and dirty are None; `git_dirty` is true when a tracked file
        other than `dvc.lock` differs from the commit (untracked files do not count).
    """
    commit = _git(root, "rev-parse", "HEAD")
    # `:/` is the whole repository, also where the project is a folder inside of one.
    changed = (
        _git(root, "status", "--porcelain", "--untracked-files=no", "--", ":/") if commit else None
    )
    return Lineage(
        git_commit=commit or None,
        git_dirty=None if changed is None else _dirty(changed),
        data_version=data_version(root),
        params_hash=params_hash,
        run_id=run_id,
        backbone=backbone,
    )


def params_hash(plan: TaskPlan) -> str:
    """SHA-256 of a task's resolved plan, whatever the order or the spelling in `params.yaml`."""
    return hashlib.sha256(json.dumps(plan.as_dict(), sort_keys=True).encode()).hexdigest()


def data_version(root: Path = Path()) -> str | None:
    """DVC's hash of `data/`, such as `0f3c....dir`; None where the data are not under DVC."""
    try:
        record = yaml.safe_load((root / DATA).read_text(encoding="utf-8"))
        return str(record["outs"][0]["md5"])
    except (OSError, yaml.YAMLError, LookupError, TypeError):
        return None


def _dirty(status: str) -> bool:
    paths = (line[3:].strip('"').rsplit("/", 1)[-1] for line in status.splitlines())
    return any(name != REWRITTEN for name in paths)


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints; None without git, or outside of a repository."""
    program = shutil.which("git")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.rstrip("\n") if done.returncode == 0 else None
