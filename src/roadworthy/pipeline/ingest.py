"""ingest: feedback and the images of the inbox into the data, as a new version of them.

Nothing comes in that a person has not seen, where `ingest.confirm` says so, and nothing with which
`validate` would stop the road. A kill at any moment leaves the version that was, or the new one;
the next time goes on from there, because what the data have is not new.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from roadworthy import params
from roadworthy.data import companions, staging, version
from roadworthy.data.intake import listed
from roadworthy.data.version import Version
from roadworthy.errors import DataError, ParamsError, StaleError, VerdictError
from roadworthy.layout import ARTIFACTS, read_json, replacing, write_json
from roadworthy.params import Params
from roadworthy.pipeline import declined, proposal_page
from roadworthy.pipeline.offers import FEEDBACK, INBOX, TAKEN, Offer
from roadworthy.pipeline.proposal import STAGED, Candidate, Part, Proposal, present_version, propose

OUT = ARTIFACTS / "ingest"
PROPOSAL, PAGE, SHEET = "proposal.json", "proposal.html", "proposal.png"
LOCK = "ingest.lock"
COMMAND = "roadworthy ingest --yes"
# Task and SHA-256 of images that a person does not want.
Refused = set[tuple[str, str]]
# Digits that name an image well enough.
SHORTEST = 4


def run(task: str = "", yes: bool = False, without: str = "", no: bool = False) -> None:
    """Propose what is new; take it in where no person has to be asked, or one has said yes.

    Args:
        task: one task; empty: all, or those of the proposal that is answered.
        yes: to the proposal in `artifacts/ingest/`, and to none that came since.
        without: fronts of SHA-256 that are left out, with commas; never proposed again.
        no: none of them is taken, nor proposed again.

    Raises:
        StaleError: what was proposed is not what would come in now; the new one is written.
        VerdictError: with its new images a task would not be good enough to train on.
    """
    settings = params.load()
    names = [settings.task(task).name] if task else list(settings.tasks)
    answered = _answered() if (yes and settings.ingest.confirm) or no or without else {}
    if answered and not task:
        names = [name for name in answered["tasks"] if name in settings.tasks]
    with alone():
        found = gather(settings, names)
        _report(found)
        if answered and found.new:
            _check_same(answered["digest"], found)
        refused = chosen(found, without, no)
        take = found.enough and (yes or not settings.ingest.confirm)
        if refused or take:
            _say(settle(settings, found, refused, take), len(refused))
        elif found.enough:
            print(f"look at {OUT / PAGE}, then: {COMMAND}")
        else:
            few = f"{found.size} new, ingest.least is {found.least}: " if found.size else ""
            print(f"{few}nothing was changed")
    refuse_stopped(found)


@contextmanager
def alone() -> Iterator[None]:
    """One ingest at a time in this folder.

    Raises:
        DataError: there is another one.
    """
    from filelock import FileLock, Timeout

    staging.CACHE.mkdir(exist_ok=True)
    try:
        with FileLock(staging.CACHE / LOCK, timeout=0):
            yield
    except Timeout:
        raise DataError("another ingest is running in this folder: wait for it") from None


def gather(settings: Params, names: Sequence[str]) -> Proposal:
    """What is new for these tasks, written to `artifacts/ingest/`. To be called `alone`."""
    found = propose(settings, names)
    write(found)
    _tidy(settings, found)
    return found


def accept(
    settings: Params, digest: str, names: Sequence[str], without: str = "", no: bool = False
) -> Version | None:
    """Answer the proposal with this digest, if it still is what would come in.

    Args:
        without: as of `run`.
        no: decline all of it.

    Returns:
        The new version; None where nothing was taken.

    Raises:
        StaleError: it is not; what would come in now is written to `artifacts/ingest/`.
    """
    with alone():
        found = gather(settings, names)
        _check_same(digest, found)
        return settle(settings, found, chosen(found, without, no), take=not no)


def chosen(found: Proposal, without: str, no: bool) -> Refused:
    """The images that a person refuses.

    Args:
        without: fronts of SHA-256 with commas; `TASK:FRONT` means that task's image alone.

    Raises:
        ParamsError: `without` names an image that is not proposed.
    """
    every = {(part.task, one.offer.sha256) for part in found.parts for one in part.new}
    if no:
        return every
    refused: Refused = set()
    for word in filter(None, (word.strip() for word in without.split(","))):
        task, _, front = word.rpartition(":")
        named = {(t, s) for t, s in every if s.startswith(front.lower()) and task in ("", t)}
        if not named or len(front) < SHORTEST:
            raise ParamsError(f"--without: no image of the proposal is called {word!r}")
        refused |= named
    return refused


def settle(settings: Params, found: Proposal, refused: Refused, take: bool) -> Version | None:
    """Decline these images, and take in the others where that is wanted. To be called `alone`."""
    parts = [
        replace(
            part, new=tuple(o for o in part.taken if (part.task, o.offer.sha256) not in refused)
        )
        for part in found.parts
    ]
    coming = replace(found, parts=tuple(parts))
    accepted = None
    if take and coming.new:
        accepted = version.change(partial(_bring_in, settings, coming), _note(coming))
        for part in coming.parts:
            for one in part.new:
                _put_aside(settings, part.task, one.offer, accepted.hash)
    for part in found.parts:
        out = [one.offer for one in part.new if (part.task, one.offer.sha256) in refused]
        if out:
            declined.add(settings.ingest.inbox, part.task, out)
    words = [f"{len(coming.new)} taken in as data version {accepted.hash}"] if accepted else []
    words += [f"{len(refused)} declined"] if refused else []
    write(found, ", ".join(words), refused)
    return accepted


def refuse_stopped(found: Proposal) -> None:
    """Stop where the new images of a task would stop the road.

    Raises:
        VerdictError: they would; says why.
    """
    stopped = [part for part in found.parts if part.stops]
    if stopped:
        lines = [f"  {part.task}: {line}" for part in stopped for line in part.stops]
        names = ", ".join(part.task for part in stopped)
        raise VerdictError(
            f"the new images of {names} were not taken: with them the data would not be good "
            f"enough to train on\n{chr(10).join(lines)}\nsee {OUT / PAGE}; mend or remove them in "
            f"the inbox, or decline what is wrong"
        )


def _answered() -> dict[str, Any]:
    """The proposal that a person has looked at.

    Raises:
        StaleError: there is none.
    """
    try:
        found: dict[str, Any] = read_json(OUT / PROPOSAL)
    except StaleError:
        raise StaleError("nothing was proposed: run `roadworthy ingest` and look at it") from None
    return found


def _check_same(digest: str, found: Proposal) -> None:
    if digest != found.digest:
        raise StaleError(
            f"what is new changed since it was proposed, and nothing was taken: look at the new "
            f"{OUT / PAGE}, then `{COMMAND}`"
        )


def _note(coming: Proposal) -> str:
    """What the version is, in one line."""
    words = []
    for part in coming.parts:
        told = sum(one.offer.source == FEEDBACK for one in part.new)
        if part.new:
            words.append(f"{part.task} +{len(part.new)} ({told} from feedback)")
    return f"ingest: {', '.join(words)}"


def _bring_in(settings: Params, coming: Proposal, folder: Path) -> None:
    """Change the staged `data/` in `folder`."""
    if present_version() != coming.version:
        raise StaleError("the data changed since this was proposed: run `roadworthy ingest` again")
    for part in coming.parts:
        images = folder / settings.task(part.task).images.relative_to(staging.DATA)
        for one in part.new:
            place = images / one.place
            place.parent.mkdir(parents=True, exist_ok=True)
            staging.copy(STAGED / part.task / one.place, place)
        for source in {one.offer.source for one in part.new}:
            companions.bring(STAGED / part.task / source, images / source, ())


def _tidy(settings: Params, found: Proposal) -> None:
    """Set aside what is in the inbox and in the data: a kill, or a person, left it there."""
    for part in found.parts:
        for offer in part.there:
            _put_aside(settings, part.task, offer, found.version)


def _put_aside(settings: Params, task: str, offer: Offer, hash_: str) -> None:
    """From the inbox into `inbox/.taken/VERSION/TASK/`, under its path; nothing is overwritten."""
    if offer.source != INBOX:
        return
    inbox, file = settings.ingest.inbox, offer.origin
    place = inbox / TAKEN / hash_[:8] / task / file.relative_to(inbox / task)
    if place.exists():
        place = place.with_stem(f"{place.stem}-{offer.sha256[:8]}")
    place.parent.mkdir(parents=True, exist_ok=True)
    # Somebody may have moved it meanwhile: it is in the data.
    with suppress(FileNotFoundError):
        os.replace(file, place)


def write(found: Proposal, done: str = "", refused: Collection[tuple[str, str]] = ()) -> None:
    """Write proposal, page and contact sheet; `done` says what became of it."""
    command = COMMAND if found.new and not done else ""
    with replacing(OUT) as out:
        write_json(out / PROPOSAL, found.as_dict() | {"done": done})
        shown = proposal_page.render(found, command, done, refused)
        (out / PAGE).write_text(shown, encoding="utf-8")
        sheet = proposal_page.sheet(found)
        if sheet is not None:
            sheet.save(out / SHEET)


def _report(found: Proposal) -> None:
    """For a terminal."""
    for part in found.parts:
        _report_part(part)
    if found.size:
        print(f"proposal {found.digest[:8]}: {found.size} new")


def _report_part(part: Part) -> None:
    if part.new:
        print(f"{part.task}: {len(part.new)} new ({_from(part.new)})")
        for label, count in part.counts.items():
            print(f"  {count:6} {label}")
    if part.there:
        print(f"{part.task}: {len(part.there)} are in the data already")
    if part.left:
        lines = [f"{one.what}: {one.reason}" for one in part.left]
        print(f"{part.task}: not taken: {len(part.left)}\n{listed(lines)}")


def _from(new: Sequence[Candidate]) -> str:
    told = sum(one.offer.source == FEEDBACK for one in new)
    return f"{told} from feedback, {len(new) - told} from the inbox"


def _say(accepted: Version | None, refused: int) -> None:
    if refused:
        print(f"declined: {refused}, which are not proposed again under these labels")
    if accepted is not None:
        print(f"data version {accepted}: {accepted.message}")
        print("next: dvc repro, then roadworthy promote; commit data.dvc")
