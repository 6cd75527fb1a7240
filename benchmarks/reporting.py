"""What a benchmark found: one table on the screen, one JSON file, and Markdown made from those files."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path("artifacts/bench")

Row = dict[str, Any]
Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Result:
    """One table."""

    name: str
    title: str
    rows: list[Row]
    settings: dict[str, Any] = field(default_factory=dict)
    """What was measured: sizes, counts, precision, threads."""
    machine: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """The table with what it says about, for a terminal."""
        import pandas as pd

        about = "  ".join(f"{name} {value}" for name, value in self.settings.items())
        return (
            f"\n{self.title}\n{about}\n{pd.DataFrame(self.rows).fillna('').to_string(index=False)}"
        )

    def markdown(self) -> str:
        """The same for docs/benchmarks.md."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        lines = [names, ["---"] * len(names)]
        lines += [[row.get(name, "") for name in names] for row in self.rows]
        table = "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
        about = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        return f"**{self.title}**: {about}.\n\n{table}\n"


def rounds(ways: Mapping[str, Callable[[], float]], count: int) -> Seconds:
    """Seconds of each way in each round after one to warm up; all have their turn in a round."""
    taken: Seconds = {name: [] for name in ways}
    for number in range(count + 1):
        for name, way in ways.items():
            seconds = way()
            if number:
                taken[name].append(seconds)
    return taken


def compared(seconds: Seconds, images: Mapping[str, int], base: str) -> list[Row]:
    """A row for each way: images/s (median), times the rate of `base` (median over rounds), spread.

    The ratio is taken within each round, so that a disturbance that lasts meets both. The spread is
    that of the rate: highest minus lowest over the median.
    """
    rates = {name: [images[name] / s for s in each] for name, each in seconds.items()}
    rows = []
    for name, each in rates.items():
        times = statistics.median(a / b for a, b in zip(each, rates[base], strict=True))
        median = statistics.median(each)
        spread = (max(each) - min(each)) / median
        rows.append(
            {
                "what": name,
                "images": images[name],
                "images/s": significant(median),
                "times": significant(times),
                "spread": f"{spread:.0%}",
            }
        )
    return rows


def significant(value: float) -> float | int:
    """Three digits that mean something."""
    rounded = float(f"{value:.3g}")
    return int(rounded) if abs(rounded) >= 100 else rounded


def machine() -> dict[str, Any]:
    """What it was measured on; no date, and no name of a host."""
    import torch
    import torchvision

    from roadworthy.training.machine import cores

    return {
        "processor": _processor(),
        "cores": cores(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="ignore").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def save(results: Iterable[Result], file: Path | None) -> None:
    """One JSON file for each result below `artifacts/bench`, or all of them in `file`."""
    found = list(results)
    if file:
        _write(file, [asdict(result) for result in found])
    else:
        for result in found:
            _write(RESULTS / f"{result.name}.json", asdict(result))


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def read(file: Path | None) -> list[Result]:
    """What was saved, in alphabetical order."""
    files = [file] if file else sorted(RESULTS.glob("*.json"))
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    if not contents:
        sys.exit(f"nothing in {RESULTS}: run `make bench` first")
    entries = [each for content in contents for each in (content if file else [content])]
    return [Result(**entry) for entry in entries]


def markdown(results: Iterable[Result]) -> str:
    """All tables, after a line for each machine that they were measured on."""
    parts: list[str] = []
    last: dict[str, Any] = {}
    for result in results:
        if result.machine != last:
            last = result.machine
            said = (f"{name} {value}" for name, value in last.items() if value is not None)
            parts.append(f"Measured on: {', '.join(said)}.\n")
        parts.append(result.markdown())
    return "\n".join(parts)
