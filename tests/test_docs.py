"""What the documents name is there."""

import re
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from roadworthy.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# A registry's host, a folder of somebody's machine: neither belongs into a repository.
FOREIGN = re.compile(
    r"py" r"pi\.org|python" r"hosted\.org|registry\.npm" r"js|(?<![\w.])/ro" r"ot/\w"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page: Path) -> None:
    """A broken link is the first thing a newcomer sees."""
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    """In code, `make X` and `roadworthy X` are there to be typed."""
    text = page.read_text()
    parts = re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", text, re.S)
    code = "\n".join(block or inline for block, inline in parts)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    verbs = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert set(re.findall(r"(?:^|\s)make ([a-z-]+)", code, re.M)) <= targets
    assert set(re.findall(r"(?:^|\s)roadworthy ([a-z]+)", code, re.M)) <= verbs


def test_every_make_target_explains_itself() -> None:
    """`make` alone is the help."""
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = set(re.findall(r"make ([a-z-]+)", shown.stdout))
    phony = re.search(r"\.PHONY: (.*)", (ROOT / "Makefile").read_text())
    assert phony and listed == set(phony.group(1).split())


def test_no_file_names_a_registry_or_a_machine() -> None:
    """Such a name works in one place only."""
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in names:
        path = ROOT / name
        if path.is_file() and path.suffix not in {".jpg", ".png"}:
            found = FOREIGN.search(path.read_text(encoding="utf-8"))
            assert not found, f"{name}: {found.group(0) if found else ''}"
