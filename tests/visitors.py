"""A day at the service: the packaged champions are asked about images, one request for each.

    python visitors.py LIST [--tell N]

LIST names an image a line, in folders that are called like their label. Of the last N answers the
right label is told. Prints how many answers were right.
"""

import sys
from pathlib import Path
from warnings import catch_warnings, simplefilter

from roadworthy.serving.start import run
from roadworthy.serving.store import MODEL, home

with catch_warnings():
    # Starlette asks for httpx2, which nobody else here uses.
    simplefilter("ignore")
    from starlette.testclient import TestClient

TASK = "car"


def main(listed: Path, tell: int) -> None:
    """Ask, and tell."""
    images = [Path(line) for line in listed.read_text().splitlines()]
    store = home() / "models" / MODEL
    running = run(store / (store / "latest").read_text().strip())
    right = 0
    try:
        with TestClient(running.app) as client:
            for number, path in enumerate(images):
                answer = ask(client, path)
                right += answer["label"] == path.parent.name
                if number >= len(images) - tell:
                    given = {"id": answer["id"], "task": TASK, "label": path.parent.name}
                    client.post("/feedback", json=given).raise_for_status()
    finally:
        running.stop()
    told = f"; {tell} were told the right label" if tell else ""
    print(f"{len(images)} images answered, {right / len(images):.0%} of them rightly{told}")


def ask(client: TestClient, path: Path) -> dict[str, str]:
    """The answer to one image."""
    files = {"file": (path.name, path.read_bytes(), "image/jpeg")}
    answered = client.post("/predict", data={"task": TASK}, files=files)
    answered.raise_for_status()
    found: dict[str, str] = answered.json()["predictions"][0]
    return found


if __name__ == "__main__":
    tell = int(sys.argv[3]) if sys.argv[2:3] == ["--tell"] else 0
    main(Path(sys.argv[1]), tell)
