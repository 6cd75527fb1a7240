"""Which of several processes this is, as `torchrun` says in the environment."""

import os


def rank() -> int:
    """Number of this process, from 0; the first one logs and writes."""
    return int(os.environ.get("RANK", "0"))


def world() -> int:
    """Processes that train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_world() -> int:
    """Those of them on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", str(world())))
