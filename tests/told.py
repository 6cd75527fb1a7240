"""Feedback on a service's answers, as its log holds them: real lines, real images."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from records_made import record
from roadworthy.serving.feedback import Feedback
from roadworthy.serving.record import to_line


def tell(log: Path, number: int, image: Path | None, right: str, **changes: Any) -> str:
    """Answer about an image, keep it, and let somebody say what it is; returns the SHA-256.

    Args:
        image: None: the service kept no image.
        changes: of the record.
    """
    (log / "images").mkdir(parents=True, exist_ok=True)
    content = image.read_bytes() if image else str(number).encode()
    sha256 = hashlib.sha256(content).hexdigest()
    made = record(number, **{"sha256": sha256, "format": "PNG", "embedding": None, **changes})
    with (log / "predictions-1.jsonl").open("ab") as file:
        file.write(to_line(made))
    if image:
        (log / "images" / sha256).write_bytes(content)
    say(log, number, right, task=made.task)
    return sha256


def say(log: Path, number: int, right: str, **changes: Any) -> None:
    """Let somebody say what an answer should have been."""
    values = {"id": f"{number:032x}", "task": "car", "request_id": "f", "known": True, **changes}
    with (log / "feedback-1.jsonl").open("a") as file:
        file.write(json.dumps(asdict(Feedback(label=right, **values))) + "\n")
