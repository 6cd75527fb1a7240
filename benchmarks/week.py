"""Writes docs/week.md: `python -m benchmarks.week` lives through a week of a small project.

The page is the journal of the test that holds what it claims (tests/journeys/test_week.py): there is
no page of a week that went wrong. Seven minutes on two quiet cores.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEST = "tests/journeys/test_week.py"


def main() -> int:
    """Live, and leave the page; 1 when the week went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", nargs="?", type=Path, default=ROOT / "docs/week.md")
    page = parser.parse_args().page.resolve()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", TEST],
        cwd=ROOT,
        env={**os.environ, "ROADWORTHY_JOURNAL": str(page)},
        check=False,
    )
    return int(done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
