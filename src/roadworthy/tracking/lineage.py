"""Where a model comes from: code, data, parameters, backbone, run. One record for all who ask."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import yaml

from roadworthy.bundle.format import Lineage
from roadworthy.params import TaskPlan

DATA = "data.dvc"
# What walking the road rewrites by itself; which data it was is recorded.
REWRITTEN = ("dvc.lock", DATA, "splits/*.csv")
# Settings are recorded by their hash, whether they are in a commit or not.
RECORDED = (*REWRITTEN, "params.yaml")
CODE = "/src/"


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
        differs from the commit, other than those that are recorded beside (`params.yaml`,
        `data.dvc`, `dvc.lock`, `splits/`), or `src/` has a file that git does not know.
    """
    commit = _git(root, "rev-parse", "HEAD")
    changed = _changed(root) if commit else None
    return Lineage(
        git_commit=commit or None,
        git_dirty=None if changed is None else any(_others(changed, RECORDED)),
        data_version=data_version(root),
        params_hash=params_hash,
        run_id=run_id,
        backbone=backbone,
    )


def uncommitted(root: Path = Path()) -> list[str] | None:
    """Files that differ from the commit, but for what walking the road rewrites; None without git."""
    changed = _changed(root)
    return None if changed is None else _others(changed, REWRITTEN)


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


def _changed(root: Path) -> list[str] | None:
    """Tracked files that were changed, and new ones in `src/`, of the whole repository, also where the
    project is a folder inside of one."""
    status = _git(root, "status", "--porcelain", "--untracked-files=normal", "--", ":/")
    if status is None:
        return None
    paths = [(line[:2], line[3:].split(" -> ")[-1].strip('"')) for line in status.splitlines()]
    # A module that nobody added is code that the commit does not have; other new files are not.
    return [path for kind, path in paths if kind != "??" or CODE in f"/{path}"]


def _others(paths: list[str], known: tuple[str, ...]) -> list[str]:
    return [path for path in paths if not any(PurePosixPath(path).match(k) for k in known)]


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
