"""Commit what a walk leaves in git, and nothing else; never push."""

import shutil
import subprocess
from pathlib import Path

from roadworthy.errors import RoadworthyError
from roadworthy.tracking import lineage

FILES = ("data.dvc", "dvc.lock", "splits")
"""What walking the road rewrites, in git."""
NAME, MAIL = "Roadworthy", "roadworthy@localhost"
"""The author where git knows none."""


class CommitError(RoadworthyError):
    """The checkout is not in a state to be walked in, or git refuses."""


class CommitBusyError(CommitError):
    """Another git is at work in this checkout: try again."""


def check() -> None:
    """That the gate will not refuse for what is not committed: better said now than after training.

    Raises:
        CommitError: files differ from the commit, or there is no git.
    """
    changed = lineage.uncommitted()
    if changed is None:
        raise CommitError(
            "this folder is not under git (or git is not installed), and the gate promotes nothing "
            "whose code is not in a commit: `git init`, and commit"
        )
    if changed:
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        raise CommitError(
            f"not committed: {', '.join(changed[:5])}{more}. The gate would refuse what is trained "
            "from them: commit them, or take them back, and start again"
        )


def changed() -> list[str]:
    """Which of `FILES` differ from the last commit, or are not in it yet; none without git."""
    if head() is None:
        return []
    # -z: names as they are, and one field for each but renames, which cannot be among these.
    shown = _git("status", "--porcelain", "-z", "--untracked-files=all", "--", *_present())
    return [line[3:] for line in shown.split("\0") if line]


def commit(message: str) -> str | None:
    """Commit `FILES`; gives the new commit, None where nothing has changed.

    What else is staged stays staged, and is not committed.

    Raises:
        CommitError: git refuses, for instance a hook.
    """
    if not changed():
        return None
    paths = _present()
    # A new splits/TASK.csv is not known yet.
    _git("add", "--intent-to-add", "--", *paths)
    _git(*_author(), "commit", "--quiet", "--only", "-m", message, "--", *paths)
    return _git("rev-parse", "HEAD").strip()


def head() -> str | None:
    """The last commit; None without git, or before the first."""
    try:
        return _git("rev-parse", "--verify", "HEAD").strip()
    except CommitError:
        return None


def committed(path: Path) -> bytes | None:
    """A file as the last commit has it; None where it has none."""
    program = shutil.which("git")
    if program is None:
        return None
    command = [program, "show", f"HEAD:./{path}"]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def index_lock() -> Path | None:
    """Where git keeps its lock on this checkout; None without git."""
    try:
        return Path(_git("rev-parse", "--git-path", "index.lock").strip())
    except CommitError:
        return None


def _present() -> list[str]:
    known = _git("ls-files", "--", *FILES).splitlines()
    return [name for name in FILES if Path(name).exists() or name in known]


def _author() -> list[str]:
    """Settings for this one commit, where git knows no author."""
    known = subprocess.run(
        ["git", "var", "GIT_AUTHOR_IDENT"], capture_output=True, text=True, check=False
    )
    if known.returncode == 0:
        return []
    return ["-c", f"user.name={NAME}", "-c", f"user.email={MAIL}"]


def _git(*arguments: str) -> str:
    program = shutil.which("git")
    if program is None:
        raise CommitError("git is not installed: install it, or set retrain.commit to false")
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())[:500]
        kind = CommitBusyError if "index.lock" in said else CommitError
        raise kind(f"`git {' '.join(arguments)}` failed: {said}")
    return done.stdout
