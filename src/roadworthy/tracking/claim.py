"""A task's claim: one process at a time, on whatever machine, moves the aliases of a task.

MLflow has no locks, but every store of it refuses a second registered model of the same name, and
renames one only if nobody has the new name. So the claim is an empty model `roadworthy-claim-TASK`,
and it is given up, or taken from a process that died, by renaming it to a name made of its holder's
token: however many try, that happens once, and never to the claim of the next one.
"""

import contextlib
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from roadworthy.errors import TrackingError
from roadworthy.tracking import fields, process, store

PREFIX = "roadworthy-claim-"
TOKEN, OWNER, WHO, SINCE = (f"roadworthy.{name}" for name in ("token", "owner", "who", "since"))
NOTE = "Somebody is moving the aliases of this task. It goes by itself within seconds."
WAIT_SECONDS = 60.0
STALE_SECONDS = 600.0
"""A claim this old, seen unchanged for `WATCH_SECONDS`, is taken from a process on any machine."""
WATCH_SECONDS = 20.0
KEPT_SECONDS = 86400.0
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holder:
    """Who has the claim."""

    token: str
    owner: str
    """See `process.me`."""
    who: str
    since: str
    """UTC, ISO 8601, by the holder's clock."""

    @property
    def age(self) -> float:
        """Seconds; of two machines' clocks, so take it for a guess."""
        try:
            begun = datetime.fromisoformat(self.since)
        except ValueError:
            return 0.0
        return (datetime.now(UTC) - begun).total_seconds()


@dataclass(frozen=True)
class Claim:
    """The right to move a task's aliases."""

    task: str
    token: str

    def check(self) -> None:
        """Make sure that it is still ours, after something that may have taken long.

        Raises:
            TrackingError: it was taken away, or the store cannot be reached.
        """
        with store.asking(f"the claim on {self.task} cannot be read"):
            holder = _holder(store.client(), _name(self.task))
        if holder is None or holder.token != self.token:
            raise TrackingError(
                f"this process was held up so long that another one took over {self.task}: "
                "nothing was changed from here on; try again"
            )


@contextmanager
def claim(task: str, wait_seconds: float = WAIT_SECONDS) -> Iterator[Claim]:
    """Hold the claim of a task inside the block.

    It is taken over from a process of this machine that is gone, at once, and from any other after
    10 minutes; a block takes seconds.

    Raises:
        TrackingError: another process has it for longer than `wait_seconds`.
    """
    client, name, token = store.client(), _name(task), uuid.uuid4().hex
    with store.asking(f"{task} cannot be claimed"):
        try:
            _wait(client, task, token, wait_seconds)
        except BaseException:
            # The store may have made it though its answer was lost.
            _give_up(client, name, token, keep=False)
            raise
    begun = time.monotonic()
    try:
        yield Claim(task, token)
    finally:
        if not _give_up(client, name, token, time.monotonic() - begun > STALE_SECONDS / 2):
            log.warning("the claim on %s could not be given back: others may have to wait", task)


def _name(task: str) -> str:
    return f"{PREFIX}{task}"


def _wait(client: MlflowClient, task: str, token: str, seconds: float) -> None:
    name, begun, tries = _name(task), time.monotonic(), 0
    seen, seen_since = "", begun
    while not _take(client, name, token):
        holder, now = _holder(client, name), time.monotonic()
        if holder is None:
            continue
        if holder.token == token:  # MLflow repeats a request whose answer was lost
            return
        if holder.token != seen:
            seen, seen_since = holder.token, now
        if _stale(holder, now - seen_since) and _break(client, name, holder):
            continue
        if now - begun > seconds:
            raise TrackingError(
                f"{task} is being changed by {holder.who} ({holder.owner}) since {holder.since}: "
                "wait for it; a process that died loses its claim within 10 minutes"
            )
        time.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
        tries += 1


def _take(client: MlflowClient, name: str, token: str) -> bool:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    tags = {TOKEN: token, OWNER: process.me(), WHO: fields.user(), SINCE: since}
    try:
        client.create_registered_model(name, tags, NOTE)
    except MlflowException as error:
        # Missing: it was there, and had gone when MLflow looked for it.
        if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):
            raise
        return False
    return True


def _holder(client: MlflowClient, name: str) -> Holder | None:
    try:
        tags = client.get_registered_model(name).tags
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return Holder(*(tags.get(key, "") for key in (TOKEN, OWNER, WHO, SINCE)))


def _stale(holder: Holder, watched: float) -> bool:
    if process.gone(holder.owner):
        return True
    return holder.age > STALE_SECONDS and watched > WATCH_SECONDS


def _break(client: MlflowClient, name: str, holder: Holder) -> bool:
    if not _bury(client, name, holder.token):
        return False
    log.warning("%s of %s since %s was left behind: broken", name, holder.owner, holder.since)
    _sweep(client, name)
    return True


def _bury(client: MlflowClient, name: str, token: str) -> bool:
    """End the claim of this token; False where it has ended already, or cannot be reached."""
    try:
        client.rename_registered_model(name, f"{name}-{token}")
    except MlflowException:
        return False
    return True


def _give_up(client: MlflowClient, name: str, token: str, keep: bool) -> bool:
    try:
        holder = _holder(client, name)
        if holder is None or holder.token != token:
            return False
        if not _bury(client, name, token):
            return False
        # Nobody can have judged a young claim to be left behind, so nobody needs its grave.
        if not keep:
            client.delete_registered_model(f"{name}-{token}")
    except MlflowException:
        return False
    return True


def _sweep(client: MlflowClient, name: str) -> None:
    """Remove what is left of claims that ended long ago."""
    limit = (time.time() - KEPT_SECONDS) * 1000
    with contextlib.suppress(MlflowException):
        for model in client.search_registered_models(f"name LIKE '{name}-%'"):
            token = model.tags.get(TOKEN, "")
            if model.name == f"{name}-{token}" and model.creation_timestamp < limit:
                client.delete_registered_model(model.name)
