"""Runs that say Running though their process is dead: found by the next one, ended by the server."""

from collections.abc import Callable
from uuid import UUID

from roadworthy import environment

# Prefect reads its settings when it is imported.
environment.apply()

from prefect.client.orchestration import get_client  # noqa: E402
from prefect.client.schemas.objects import State  # noqa: E402
from prefect.settings import get_current_settings  # noqa: E402
from prefect.states import Crashed  # noqa: E402

from flows import automations, notify  # noqa: E402
from flows.lock import Holder  # noqa: E402

Report = Callable[[str], None]


def watch(report: Report) -> None:
    """Let the server end runs that give no sign of life; without a server there is nobody to."""
    if get_current_settings().api.url is None:
        return
    try:
        if automations.ensure():
            report(f"made the automation {automations.NAME!r}")
    # Prefect's client fails in many ways, and the walk needs none of this.
    except Exception as error:
        report(f"the automation {automations.NAME!r} cannot be made: {error}")


def bury(died: Holder, report: Report) -> None:
    """The walk before us was killed: say so, and end its run if nobody has."""
    report(f"the walk before was cut off: {died}; this one goes on where it was")
    notify.notify("retrain: an earlier walk was cut off", f"{died}\nIt is taken up again now.")
    if died.run_id is None:
        return
    try:
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(UUID(died.run_id))
            if run.state is not None and not run.state.is_final():
                state: State[None] = Crashed(
                    message=f"Its process ({died.pid} on {died.host}) is dead."
                )
                client.set_flow_run_state(run.id, state, force=True)
    # It may be a run of another server, or of none.
    except Exception as error:
        report(f"the run of the walk before is left as it is: {error}")
