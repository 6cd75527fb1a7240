"""A Prefect server for this checkout: its state in `.prefect`, its page on http://127.0.0.1:4200.

    python -m flows.server [--port 4200] [--host 127.0.0.1]

It is `prefect server start` with the settings that this needs; a database of your own
(PREFECT_SERVER_DATABASE_CONNECTION_URL) and whatever else the environment says, wins.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from roadworthy import environment

# Places of limits are lent: kept in memory, those of the moment would be taken for ever after a
# restart of the server.
LEASES = {
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem"
}


def settings(host: str, port: int) -> dict[str, str]:
    """The environment of the server."""
    address = {
        "PREFECT_SERVER_API_HOST": host,
        # With `--port` alone, the page would ask another port for its data.
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_API_URL": f"http://{host}:{port}/api",
    }
    return {**LEASES, **os.environ, **address}


def main(arguments: Sequence[str] | None = None) -> None:
    """Become the server."""
    parser = argparse.ArgumentParser(prog="python -m flows.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", default=4200, type=int)
    given = parser.parse_args(arguments)
    environment.apply()
    command = [sys.executable, "-m", "prefect", "server", "start"]
    os.execve(command[0], command, settings(given.host, given.port))


if __name__ == "__main__":
    main()
