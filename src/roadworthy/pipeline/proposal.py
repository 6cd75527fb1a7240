"""What `ingest` would take into the data, and what would become of it; the data are not changed.

The images are copied to `.cache/ingest/TASK/{feedback,inbox}/LABEL/`, with a `labels.csv`, as they
would lie in the data: what is looked at is what comes in.
"""

import csv
import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from roadworthy.data import boxes, manifest, staging, version
from roadworthy.data.intake import sort_out
from roadworthy.data.labels import TABLE
from roadworthy.data.manifest import Manifest
from roadworthy.params import Params, TaskPlan
from roadworthy.pipeline import declined, offers, rehearsal
from roadworthy.pipeline.index import MEMORY
from roadworthy.pipeline.offers import FEEDBACK, INBOX, Left, Offer
from roadworthy.pipeline.rehearsal import Fate

STAGED = staging.CACHE / "ingest"
DOCS = ".docs"


@dataclass(frozen=True)
class Candidate:
    """A new image, as it lies in `STAGED`."""

    offer: Offer
    place: str
    """Below the task's images."""
    fate: Fate


@dataclass(frozen=True)
class Part:
    """What would come into one task."""

    task: str
    new: tuple[Candidate, ...] = ()
    left: tuple[Left, ...] = ()
    there: tuple[Offer, ...] = ()
    """The task has these images under these labels already."""
    stops: tuple[str, ...] = ()
    """Why the road would stop at the task with them, so that none is taken; empty: it would not."""
    warned: tuple[str, ...] = ()

    @property
    def taken(self) -> tuple[Candidate, ...]:
        """What comes in if a person says yes."""
        return () if self.stops else self.new

    @property
    def counts(self) -> dict[str, int]:
        """New images by label."""
        return dict(sorted(Counter(one.offer.label for one in self.new).items()))


@dataclass(frozen=True)
class Proposal:
    """What would come into the data."""

    version: str
    """Of the data that it was made for."""
    parts: tuple[Part, ...]
    least: int = field(default=1)
    """New images that are worth a version."""

    @property
    def new(self) -> tuple[Candidate, ...]:
        """Every new image, also those with which the road would stop."""
        return tuple(one for part in self.parts for one in part.new)

    @property
    def size(self) -> int:
        """Images that come in if a person says yes."""
        return sum(len(part.taken) for part in self.parts)

    @property
    def enough(self) -> bool:
        """Whether that is worth a version."""
        return self.size >= self.least

    @cached_property
    def digest(self) -> str:
        """Names it: other images, labels or data make it another one. SHA-256, hex."""
        rows = [
            (part.task, one.offer.sha256, one.offer.label, one.place, bool(part.stops))
            for part in self.parts
            for one in part.new
        ]
        text = json.dumps([self.version, sorted(rows)], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "digest": self.digest,
            "version": self.version,
            "size": self.size,
            "tasks": {part.task: _part_as_dict(part) for part in self.parts},
        }


def _part_as_dict(part: Part) -> dict[str, Any]:
    return {
        "labels": part.counts,
        "stops": list(part.stops),
        "warned": list(part.warned),
        "there": len(part.there),
        "new": [
            {
                "sha256": one.offer.sha256,
                "label": one.offer.label,
                "source": one.offer.source,
                "place": one.place,
                "group": one.offer.group,
                "said": one.offer.said,
                "probability": one.offer.probability,
                "voices": one.offer.voices,
                "split": one.fate.split,
                "like": one.fate.like,
            }
            for one in part.new
        ],
        "left": [{"source": o.source, "what": o.what, "reason": o.reason} for o in part.left],
    }


def propose(settings: Params, tasks: Sequence[str]) -> Proposal:
    """Gather what was offered for these tasks, and see what would become of it.

    Raises:
        DataError: `data/` was changed by hand.
    """
    if staging.RECORD.is_file():
        version.ensure()
    shutil.rmtree(STAGED, ignore_errors=True)
    parts = tuple(_part(settings, settings.task(name)) for name in tasks)
    return Proposal(present_version(), parts, settings.ingest.least)


def present_version() -> str:
    """The hash of `data/` in `data.dvc`; empty where there is none."""
    if not staging.RECORD.is_file():
        return ""
    record = yaml.safe_load(staging.RECORD.read_text(encoding="utf-8"))
    return str(record["outs"][0]["md5"])


def _part(settings: Params, plan: TaskPlan) -> Part:
    inbox = settings.ingest.inbox
    told, unheard = offers.from_feedback(settings.log, plan.name)
    found, unread = offers.from_inbox(inbox / plan.name, plan)
    settled, left = offers.settle([*told, *found])
    left = [*unheard, *unread, *left]
    if not settled:
        return Part(plan.name, left=tuple(left))
    if staging.DATA not in plan.images.parents:
        stop = f"tasks.{plan.name}.images is {plan.images}, which is not below {staging.DATA}/"
        return Part(plan.name, left=tuple(left), stops=(stop,))
    present = manifest.build(plan, MEMORY / f"{plan.name}.npz")
    digests = present.rows["sha256"].astype(str)
    labels = dict(zip(digests, map(_text, present.rows["label"]), strict=True))
    refused = declined.load(inbox, plan.name)
    new, not_now, there = offers.compare(settled, labels, plan.label.classes or (), refused)
    new, too_few = _without_small(new, present, plan)
    new, unreadable = _staged(new, plan, inbox / plan.name)
    return _rehearsed(plan, present, new, [*left, *not_now, *too_few, *unreadable], there)


def _text(label: Any) -> str | None:
    return None if pd.isna(label) else str(label)


def _without_small(
    new: list[Offer], present: Manifest, plan: TaskPlan
) -> tuple[list[Offer], list[Left]]:
    """A slip in one label would be a class of one image, at which the whole road stops."""
    rule = plan.validation
    if plan.label.classes or rule.small_classes == "drop":
        return new, []
    known = present.rows["label"].dropna().value_counts().to_dict()
    coming = Counter(offer.label for offer in new)
    small = {n: c for n, c in coming.items() if n not in known and c < rule.min_per_class}
    left = [
        Left(
            o.source, f"{o.origin.as_posix()} ({o.label})", _too_few(small[o.label], plan), o.origin
        )
        for o in new
        if o.label in small
    ]
    return [offer for offer in new if offer.label not in small], left


def _too_few(count: int, plan: TaskPlan) -> str:
    return (
        f"its label is new and has {count} image{'s' * (count != 1)}: a slip? "
        f"a class needs {plan.validation.min_per_class} (validate.min_per_class)"
    )


def _staged(new: Sequence[Offer], plan: TaskPlan, inbox: Path) -> tuple[list[Offer], list[Left]]:
    """Copy the images to `STAGED`, and leave those that cannot be read."""
    copied, left = [], []
    for offer in new:
        place = STAGED / plan.name / place_of(offer)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            content = offer.origin.read_bytes()
        except OSError:
            content = b""
        if hashlib.sha256(content).hexdigest() == offer.sha256:
            place.write_bytes(content)
            copied.append(offer)
        else:
            left.append(
                Left(offer.source, offer.origin.as_posix(), "it was changed or taken away just now")
            )
    for source in (FEEDBACK, INBOX):
        mine = [offer for offer in copied if offer.source == source]
        if mine:
            folder = STAGED / plan.name / source
            _write_labels(folder, mine)
            if source == INBOX:
                _write_boxes(folder, inbox, mine)
            faults = _faults(folder, plan)
            left += [
                Left(source, offer.origin.as_posix(), faults[place_of(offer)])
                for offer in mine
                if place_of(offer) in faults
            ]
    bad = {one.what for one in left}
    return [offer for offer in copied if offer.origin.as_posix() not in bad], left


def _faults(folder: Path, plan: TaskPlan) -> dict[str, str]:
    """What `roadworthy add` would not take, by place, with the reason; it is deleted here."""
    intake = sort_out(folder, plan)
    faults = {image.place: image.reason for image in intake.unreadable}
    faults |= {image.place: "its label could not be read" for image in intake.unlabelled}
    for place in faults:
        (folder.parent / place).unlink()
    return faults


def place_of(offer: Offer) -> str:
    """Where an image comes to lie, below the task's images."""
    label = re.sub(r"[^\w.()+-]+", "_", offer.label).strip(".") or "_"
    return f"{offer.source}/{label}/{offer.name}"


def _write_labels(folder: Path, mine: Sequence[Offer]) -> None:
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "label", "group"))
        for offer in mine:
            inside = place_of(offer).removeprefix(f"{offer.source}/")
            writer.writerow((inside, offer.label, offer.group))


def _write_boxes(folder: Path, inbox: Path, mine: Sequence[Offer]) -> None:
    """Boxes that came with the images, under the images' new names."""
    names = {one.origin.as_posix(): place_of(one).removeprefix(f"{INBOX}/") for one in mine}
    rows = boxes.read(inbox).rows
    rows = rows[rows["path"].isin(list(names))]
    if len(rows):
        named = rows.assign(path=rows["path"].map(names)).rename(columns={"path": "image"})
        named.to_csv(folder / boxes.TABLE, index=False)


def _rehearsed(
    plan: TaskPlan, present: Manifest, new: Sequence[Offer], left: list[Left], there: list[Offer]
) -> Part:
    if not new:
        return Part(plan.name, left=tuple(left), there=tuple(there))
    found = rehearsal.rehearse(plan, present, STAGED / plan.name, STAGED / DOCS / plan.name)
    taken = []
    for offer in new:
        fate = found.fates[(plan.images / place_of(offer)).as_posix()]
        if fate.split is None and not fate.reason.startswith("its class"):
            left.append(Left(offer.source, offer.origin.as_posix(), fate.reason, offer.origin))
        else:
            taken.append(Candidate(offer, place_of(offer), fate))
    warned = (f"{f.name}: {f.observed}, wanted {f.wanted}" for f in found.warned)
    return Part(plan.name, tuple(taken), tuple(left), tuple(there), found.stops, tuple(warned))
