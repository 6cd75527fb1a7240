"""rollback: put an earlier champion back on the road."""

import typer

from roadworthy.tracking import handover
from roadworthy.tracking.history import Decision


def run(task: str, to: int | None = None, reason: str = "") -> Decision:
    """Roll back one task and say where it is now.

    Args:
        to: a version that was champion once; None takes the champion before, again and again.
        reason: for the history, and for the gate, which does not let this champion come back.

    Raises:
        TrackingError: there is nothing to go back to, or no such version.
        BundleError: the files of that version are not the ones that were registered.
    """
    decision = handover.roll_back(task, to, reason)
    typer.echo(f"{task}: {decision.reason}")
    typer.echo("`roadworthy package` builds the service with it.")
    return decision
