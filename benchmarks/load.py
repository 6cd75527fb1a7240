"""Clients that ask a service over loopback as fast as it answers: a process of its own, few cycles.

`python -m benchmarks.load PORT FOLDER --clients 16 --seconds 20` prints one line of JSON.
"""

import argparse
import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

BOUNDARY = "roadworthy-benchmark"


@dataclass(frozen=True)
class Loaded:
    """What the clients saw."""

    requests: int
    failed: int
    seconds: float
    p50: float
    """Seconds."""
    p99: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return (self.requests - self.failed) / self.seconds


def request(path: Path, task: str) -> bytes:
    """One whole HTTP request with the image at `path`."""
    parts = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="task"\r\n\r\n{task}\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = parts.encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        "POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _client(
    port: int, requests: list[bytes], first: int, until: float, times: list[float], bad: list[int]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    number = first
    while (start := perf_counter()) < until:
        writer.write(requests[number % len(requests)])
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        times.append(perf_counter() - start)
        if not head.startswith(b"HTTP/1.1 200"):
            bad.append(number)
        number += 1
    writer.close()


async def load(port: int, requests: list[bytes], clients: int, seconds: float) -> Loaded:
    """Ask for `seconds` with so many clients, each waiting for its answer before it asks again."""
    times: list[float] = []
    bad: list[int] = []
    start = perf_counter()
    until = start + seconds
    await asyncio.gather(
        *(_client(port, requests, 7 * one, until, times, bad) for one in range(clients))
    )
    low, high = np.quantile(times, [0.5, 0.99])
    return Loaded(len(times), len(bad), perf_counter() - start, float(low), float(high))


def main() -> None:
    """Print what the clients saw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("images", type=Path)
    parser.add_argument("--task", default="police")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    files = sorted(path for path in options.images.iterdir() if path.suffix in {".jpg", ".jpeg"})
    requests = [request(path, options.task) for path in files]
    print(
        json.dumps(
            asdict(asyncio.run(load(options.port, requests, options.clients, options.seconds)))
        )
    )


if __name__ == "__main__":
    main()
