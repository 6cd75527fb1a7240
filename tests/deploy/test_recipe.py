import subprocess
import sys
from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_the_containerfile_is_well_written() -> None:
    """As hadolint judges it."""
    program = Path(sys.executable).with_name("hadolint")
    command = [str(program), str(DEPLOY / "Containerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_nothing_runs_while_building() -> None:
    """So that every builder can, without a network and without root."""
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    words = {line.split()[0] for line in lines if line and line[0] not in "# "}
    assert "RUN" not in words
    assert {"USER", "HEALTHCHECK", "STOPSIGNAL", "EXPOSE"} <= words
    assert (DEPLOY / "base-image.sh").stat().st_mode & 0o100
