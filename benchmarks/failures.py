"""A hundred forced failures of `retrain`, as a table: `python -m benchmarks.failures`.

The test that holds what must be true after each of them is tests/journeys/test_failures.py; here it
runs for an hour (two quiet cores), and what came of each kind is printed as Markdown. A report that
is there is continued: its failures count, and the next ones are other draws.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
TEST = "tests/journeys/test_failures.py"
REPORT = ROOT / "artifacts/failures.jsonl"


def main() -> int:
    """Force them, and print; 1 when something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="where stages only pretend")
    parser.add_argument("--real", type=int, default=5, help="where something is trained")
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--report", type=Path, default=REPORT, help="a line of JSON for each")
    given = parser.parse_args()
    given.report.parent.mkdir(parents=True, exist_ok=True)
    settings = {
        "ROADWORTHY_FAILURES": given.count,
        "ROADWORTHY_REAL_FAILURES": given.real,
        "ROADWORTHY_SEED": given.seed,
        "ROADWORTHY_REPORT": given.report.resolve(),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", TEST],
        cwd=ROOT,
        env=os.environ | {name: str(value) for name, value in settings.items()},
        stdout=sys.stderr,
        check=False,
    )
    print(table(given.report))
    return int(done.returncode != 0)


def table(report: Path) -> str:
    """What came of each kind, as Markdown."""
    rows = pd.DataFrame([json.loads(line) for line in report.read_text().splitlines()])
    hit = rows[~rows["missed"]].assign(
        over=lambda found: found["status"] == 0,
        cut=lambda found: found["status"] < 0,
        sane=lambda found: found["sane"].isin(("up to date", "stale")),
    )
    groups = hit.groupby("kind")
    shown = pd.DataFrame(
        {
            "failures": groups.size(),
            "the walk got over it": groups["over"].sum(),
            "it was cut off": groups["cut"].sum(),
            "it failed, with a message": groups.size() - groups["over"].sum() - groups["cut"].sum(),
            "`dvc status` sane at once": groups["sane"].sum(),
            "next walk, median s": groups["seconds"].median().round(0).astype(int),
        }
    )
    lines = [["what happened", *shown.columns], ["---"] * (len(shown.columns) + 1)]
    lines += [
        [str(kind), *map(str, values)]
        for kind, values in zip(shown.index, shown.to_numpy(), strict=True)
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    sys.exit(main())
