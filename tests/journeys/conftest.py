"""A whole road, walked once for all journeys: a clone of this checkout with few images and a small net."""

from pathlib import Path

import pytest

from small_road import begin, commit, lay, runner
from support import Run


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """The folder of the walked road, and how to run a command in it."""
    folder = tmp_path_factory.mktemp("road") / "project"
    lay(folder)
    run = runner(folder)
    begin(run)
    run("roadworthy", "setup")
    # The gate asks from which commit a model comes.
    commit(run, "begun")
    run("dvc", "repro")
    commit(run, "walked")
    run("roadworthy", "promote")
    return folder, run
