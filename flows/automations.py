"""The automation that ends runs whose process died: made on the server, once.

    python -m flows.automations

A run says every 30 seconds that it lives (PREFECT_FLOWS_HEARTBEAT_FREQUENCY). One that stops saying
so without having ended was killed together with its worker, or its machine: it becomes Crashed,
and what it held is free.
"""

import sys
from datetime import timedelta

from roadworthy import environment

# Prefect reads its settings when it is imported.
environment.apply()

from prefect.automations import Automation  # noqa: E402
from prefect.client.orchestration import get_client  # noqa: E402
from prefect.client.schemas.objects import StateType  # noqa: E402
from prefect.events.actions import ChangeFlowRunState  # noqa: E402
from prefect.events.schemas.automations import EventTrigger, Posture  # noqa: E402
from prefect.settings import get_current_settings  # noqa: E402

NAME = "roadworthy: runs that died"
FLOWS = ("retrain", "monitor", "ingest", "backfill", "tune")
SILENCE_SECONDS = 90
"""Three heartbeats."""
HEARTBEAT = "prefect.flow-run.heartbeat"
ENDS = ("Completed", "Failed", "Cancelled", "Crashed", "Paused", "Suspended", "AwaitingRetry")
MESSAGE = "No sign of life for {seconds} s: the process was killed with its worker, or its machine."


def ensure(seconds: int = SILENCE_SECONDS) -> bool:
    """Make the automation on the server in use; whether it was missing, or different."""
    wanted = _automation(seconds)
    with get_client(sync_client=True) as client:
        found = client.read_automations_by_name(NAME)
    kept = [one for one in found if one.enabled and one.trigger == wanted.trigger]
    if kept:
        return False
    for old in found:
        Automation(**old.model_dump()).delete()
    wanted.create()
    return True


def _automation(seconds: int) -> Automation:
    return Automation(
        name=NAME,
        description="A run whose process died does not stay Running for ever.",
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={HEARTBEAT, *(f"prefect.flow-run.{state}" for state in ENDS)},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={
                "prefect.resource.role": "flow",
                "prefect.resource.name": list(FLOWS),
            },
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[
            ChangeFlowRunState(
                name="Crashed",
                state=StateType.CRASHED,
                message=MESSAGE.format(seconds=seconds),
                force=False,
            )
        ],
    )


def main() -> int:
    """Make it, and say so."""
    address = get_current_settings().api.url
    if address is None:
        print(
            "no Prefect server is set: PREFECT_API_URL=http://127.0.0.1:4200/api", file=sys.stderr
        )
        return 1
    print(f"{NAME!r} {'made' if ensure() else 'is there'} on {address}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
