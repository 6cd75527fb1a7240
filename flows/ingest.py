"""Feedback and new images become a version of the data, when a person has said yes.

    python -m flows.ingest --tasks car police

Nothing is trained here: a new version is news to the next `retrain`.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from roadworthy import environment, params
from roadworthy.errors import ParamsError, RoadworthyError, StaleError

# Prefect reads its settings when it is imported.
environment.apply()

from prefect import flow, get_run_logger, task  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402
from prefect.client.schemas.objects import State  # noqa: E402
from prefect.events import emit_event  # noqa: E402
from prefect.runtime import flow_run  # noqa: E402
from prefect.states import Completed  # noqa: E402

from flows import artifacts, commit, ending, leftovers, lock, notify, question, zombies  # noqa: E402
from flows.question import Answer  # noqa: E402
from flows.retrain import chosen  # noqa: E402
from roadworthy.data.version import Version  # noqa: E402
from roadworthy.params import Params  # noqa: E402
from roadworthy.pipeline import ingest as stop  # noqa: E402
from roadworthy.pipeline import proposal_page  # noqa: E402
from roadworthy.pipeline.proposal import Proposal  # noqa: E402

ACCEPTED = "roadworthy.data.accepted"
QUESTIONS = 5
"""So often a proposal may change while a person looks at it."""


@task(name="propose", task_run_name="propose", cache_policy=NO_CACHE)
def propose(settings: Params, names: list[str]) -> Proposal:
    """Gather what was offered, see what would become of it, and show it."""
    with stop.alone():
        found = stop.gather(settings, names)
    artifacts.table("ingest", proposal_page.rows(found), f"Proposal `{found.digest[:8]}`.")
    page, said = (stop.OUT / stop.PAGE).resolve(), f"With pictures: `{stop.OUT / stop.PAGE}`."
    artifacts.link("ingest-page", page.as_uri(), stop.PAGE, said)
    artifacts.picture("ingest-images", stop.OUT / stop.SHEET, "What would come in.")
    return found


@task(name="accept", task_run_name="accept", cache_policy=NO_CACHE)
def accept(
    settings: Params, found: Proposal, names: list[str], without: str, no: bool
) -> Version | None:
    """Take the images in, while nobody walks along the road, and commit `data.dvc`."""
    report, minutes = get_run_logger().info, settings.retrain.wait_minutes
    me = lock.me("the flow ingest", flow_run.id, flow_run.ui_url)
    with lock.alone(me, minutes, report) as died:
        if died is not None:
            zombies.bury(died, report)
        lock.wait(leftovers.blocking, minutes, report)
        version = stop.accept(settings, found.digest, names, without, no)
        if version is not None and settings.retrain.commit:
            commit.commit(f"{version.message}\n\ndata version {version}")
    return version


@flow(name="ingest", flow_run_name="ingest", validate_parameters=True)
def ingest(tasks: list[str] | None = None, yes: bool = False) -> "Version | State[None] | None":
    """Propose what is new; take it in where no person has to be asked, or one says yes.

    A task whose new images would stop the road keeps no other from its own; the flow fails in the
    end, and people are told.

    Args:
        tasks: names of params.yaml; None is all of them.
        yes: nobody is asked.
    """
    settings = params.load()
    names = chosen(tasks, list(settings.tasks))
    found, version, said = _settled(settings, names, yes)
    _refuse_stopped(found)
    if version is None:
        return Completed(message=said, data=None)
    return version


def _settled(settings: Params, names: list[str], yes: bool) -> tuple[Proposal, Version | None, str]:
    """What was proposed last, and what a person made of it."""
    for again in range(QUESTIONS):
        found = propose(settings, names)
        if not found.enough:
            least = settings.ingest.least
            return found, None, f"Nothing was changed: {found.size} new, ingest.least is {least}."
        wanted = settings.ingest
        asked = wanted.confirm and not yes
        said = question.ask(found, wanted.wait_hours, again) if asked else Answer(answer="yes")
        if said.answer == "later":
            return found, None, f"{found.size} new images wait for a yes: {stop.COMMAND}"
        try:
            version = accept(settings, found, names, said.without, said.answer == "no")
        # Answered with an image that is not there, or too late: it is asked again.
        except (StaleError, ParamsError) as error:
            get_run_logger().warning("%s", error)
            continue
        if version is None:
            return found, None, f"Declined: {found.size} images."
        _tell(found, version)
        return found, version, version.message
    return found, None, "Nothing was taken: what is new changed each time before it was."


def _tell(found: Proposal, version: Version) -> None:
    """The event `roadworthy.data.accepted`, and a notice."""
    emit_event(
        ACCEPTED,
        resource={"prefect.resource.id": "roadworthy.data", "prefect.resource.name": "data"},
        payload={
            "version": version.hash,
            "message": version.message,
            "tasks": {part.task: part.counts for part in found.parts if part.taken},
        },
    )
    notify.notify("ingest: a new data version", f"{version.message}\ndata version {version}")


def _refuse_stopped(found: Proposal) -> None:
    """Tell people before it fails."""
    try:
        stop.refuse_stopped(found)
    except RoadworthyError as error:
        notify.notify("ingest: bad data were stopped", str(error))
        raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Ingest once, and print what came of it; 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m flows.ingest", description=__doc__)
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="default: all of params.yaml")
    parser.add_argument("--yes", action="store_true", help="ask nobody")
    given = parser.parse_args(arguments)
    ending.orderly()
    try:
        # Also asked by the flow; here a typing error does not wait for Prefect to start.
        chosen(given.tasks, list(params.load().tasks))
        state: Any = ingest(given.tasks, given.yes, return_state=True)
        version = state.result()
    except RoadworthyError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    print(f"data version {version}: {version.message}" if version else state.message)
    return 0


if __name__ == "__main__":
    sys.exit(main())
