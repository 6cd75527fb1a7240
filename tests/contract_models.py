"""What `/models` says, made up: figures that tests know, and as many labels as they like."""

from typing import Any


def model(labels: list[str], version: int = 3, **changes: Any) -> dict[str, Any]:
    """One champion whose every label is once taken for the next one."""
    size = len(labels)
    counts = [[0] * size for _ in labels]
    for row in range(size):
        counts[row][row] = 9
        counts[row][(row + 1) % size] += 1
    curve = [
        {"threshold": step / 20, "precision": 0.5 + step / 40, "recall": 1 - step / 20}
        for step in range(21)
    ]
    whole: dict[str, Any] = {
        "version": version,
        "kind": "binary" if size == 2 else "multiclass",
        "labels": labels,
        "engine": "int8",
        "figures": {
            "accuracy": {"value": 0.9, "low": 0.85, "high": 0.94},
            "log_loss": {"value": 0.31, "low": 0.2, "high": 0.4},
        },
        "curve": curve if size == 2 else [],
        "threshold": 0.5 if size == 2 else None,
        "confusion": {"labels": labels, "counts": counts},
        "reliability": [{"confidence": 0.55, "accuracy": 0.5, "images": 4}],
        "history": [
            {"at": "2026-01-02T03:04:05Z", "decision": "kept", "version": 2, "reason": "too slow"},
            {"at": "2026-02-03T04:05:06Z", "decision": "promoted", "version": 3, "reason": "best"},
        ],
        "live": {
            "requests": 12345,
            "latency": {"p50": 0.0184, "p99": 0.061},
            "drift": {"brightness": 0.31},
        },
        "links": {"mlflow": "http://mlflow.example/", "report": None},
    }
    return {**whole, **changes}


def models(**tasks: dict[str, Any]) -> dict[str, Any]:
    """The whole answer."""
    return {"tasks": tasks}


def nobody() -> dict[str, Any]:
    """A champion of which nothing is known but its name, as of a bundle of long ago."""
    return model(
        ["other", "police"],
        figures={},
        curve=[],
        confusion=None,
        reliability=[],
        history=[],
        live={"requests": None, "latency": None, "drift": None},
        links={"mlflow": None, "report": None},
    )
