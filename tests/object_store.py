"""A server that speaks S3, for tests: moto's, on loopback, with what a client needs to reach it."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from support import free_port

# Loopback is never behind a proxy, whatever the environment says.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def account(folder: Path) -> dict[str, str]:
    """Variables of somebody who may use the store, and nothing of the person who runs the tests.

    Args:
        folder: where an empty configuration is put.
    """
    empty = folder / "no-aws-config"
    empty.touch()
    return {
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": str(empty),
        "AWS_SHARED_CREDENTIALS_FILE": str(empty),
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }


@contextmanager
def object_store(folder: Path, *buckets: str) -> Iterator[str]:
    """The address of a running store with empty buckets; what it says goes to `folder`/moto.log."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (
        (folder / "moto.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as server,
    ):
        try:
            wait_for(address, server)
            for bucket in buckets:
                request = urllib.request.Request(f"{address}/{bucket}", method="PUT")
                DIRECT.open(request).close()
            yield address
        finally:
            server.terminate()


def wait_for(address: str, server: subprocess.Popen[bytes], seconds: float = 120) -> None:
    """Until it answers.

    Raises:
        AssertionError: it has ended, or does not answer in time.
    """
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        assert server.poll() is None, f"{server.args} has ended"
        try:
            DIRECT.open(address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer")


def keys(address: str, bucket: str) -> list[str]:
    """Names of the objects in a bucket, at most the first 1000."""
    with DIRECT.open(f"{address}/{bucket}?list-type=2", timeout=30) as answer:
        found = ElementTree.fromstring(answer.read())
    return [one.text or "" for one in found.iter() if one.tag.endswith("}Key")]
