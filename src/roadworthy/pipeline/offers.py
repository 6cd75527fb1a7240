"""What people offer as new labelled images: feedback on the service's answers, and the inbox."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from roadworthy.data import boxes
from roadworthy.data.files import File, find
from roadworthy.data.images import SUFFIXES
from roadworthy.data.labels import Labels
from roadworthy.data.makes import fold
from roadworthy.data.reading import MAX_BYTES
from roadworthy.errors import DataError
from roadworthy.params import TaskPlan
from roadworthy.serving import pictures, record
from roadworthy.serving.feedback import Feedback, read_feedback
from roadworthy.serving.journal import Lines, paths
from roadworthy.serving.record import Record

FEEDBACK, INBOX = "feedback", "inbox"
# In the inbox: what came into the data, by the version that it came with; the walk leaves it out.
TAKEN = ".taken"
ENDINGS = {"PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "GIF": ".gif", "TIFF": ".tiff"}
LONGEST_NAME = 80
_ID = re.compile(rb'"id":\s*"([0-9a-f]{32})"')


@dataclass(frozen=True)
class Offer:
    """An image, and the label that somebody gives it."""

    source: str
    """`feedback` or `inbox`."""
    origin: Path
    """The file."""
    name: str
    """What it is called in the data: its own name, and the front of its digest."""
    label: str
    sha256: str
    group: str = ""
    """Images that must not be parted: of one request, of one video; empty: none known."""
    said: str = ""
    """The label that the service had answered; empty where it was not asked."""
    probability: float = 0.0
    """That it gave it."""
    voices: int = 1
    """How often this label was given to this image."""


@dataclass(frozen=True)
class Left:
    """An image that is not taken, and why."""

    source: str
    what: str
    """The file, or the answer."""
    reason: str
    origin: Path | None = None
    """The image, where there is one to show."""


Offered = tuple[list[Offer], list[Left]]


def from_feedback(log: Path, task: str) -> Offered:
    """What people said of the answers in a prediction log.

    The image has to be there still: the service keeps it where `ROADWORTHY_LOG_IMAGES` is set.
    """
    told = {entry.id: entry for entry in read_feedback(log) if entry.task == task}
    answers = _answers(log, task, told) if told else {}
    offers, left = [], []
    for entry in told.values():
        answer = answers.get(entry.id)
        found = _offered(log, entry, answer)
        if isinstance(found, Offer):
            offers.append(found)
        else:
            left.append(Left(FEEDBACK, f"answer {entry.id[:8]} ({entry.label})", found))
    return offers, left


def _answers(log: Path, task: str, wanted: Collection[str]) -> dict[str, Record]:
    """The answers with these ids. Most lines of a log are of others, and not worth parsing."""

    def parse(line: bytes) -> Record:
        found = _ID.search(line)
        if found is None or found[1].decode() not in wanted:
            raise ValueError("another answer")
        return record.from_line(line)

    entries = Lines(paths(log, record.NAME), parse)
    return {entry.id: entry for entry in entries if entry.task == task and not entry.shadow}


def _offered(log: Path, told: Feedback, answer: Record | None) -> Offer | str:
    """The offer, or why there is none."""
    if answer is None:
        return "its answer is no longer in the log"
    path = log / pictures.FOLDER / answer.sha256
    # A name in the log is no reason to open whatever it points to.
    if not re.fullmatch("[0-9a-f]{64}", answer.sha256) or path.is_symlink() or not path.is_file():
        return "its image was not kept (ROADWORTHY_LOG_IMAGES), or has made room for others"
    if hashlib.sha256(path.read_bytes()).hexdigest() != answer.sha256:
        return "its image was changed since it was kept"
    name = answer.sha256[:16] + ENDINGS.get(answer.format, ".jpg")
    sent = f"{answer.request_id} {answer.at[:16]}"
    group = f"request-{hashlib.sha256(sent.encode()).hexdigest()[:12]}"
    said, sure = answer.label, answer.probability
    return Offer(FEEDBACK, path, name, told.label, answer.sha256, group, said, sure)


def from_inbox(folder: Path, plan: TaskPlan) -> Offered:
    """The images of a task's folder in the inbox, with the labels that `roadworthy add` would read.

    A table that cannot be read, or names a label that the task does not know, makes all labels
    doubtful: then no image of the folder is offered.
    """
    if not folder.is_dir() or not any(path.suffix.lower() in SUFFIXES for path in _walk(folder)):
        return [], []
    try:
        labels = Labels.of(plan.label, folder)
        files = find(folder)[0]
        boxes.read(folder)
    except DataError as error:
        return [], [Left(INBOX, folder.as_posix(), str(error))]
    pattern = re.compile(plan.split.group) if plan.split.group else None
    offers = []
    left = [
        Left(INBOX, row, "no such file") for row in labels.missing if not _was_taken(folder, row)
    ]
    for file in files:
        found = _labelled(file, labels, pattern)
        if isinstance(found, Offer):
            offers.append(found)
        else:
            left.append(Left(INBOX, file.name, found, file.path))
    return offers, left


def _labelled(file: File, labels: Labels, pattern: "re.Pattern[str] | None") -> Offer | str:
    """The offer, or why there is none."""
    if file.fault or file.path.is_symlink():
        return file.fault or "a link: put the image itself here"
    if file.size > MAX_BYTES:
        return f"{file.size:,} bytes are no image"
    reading = labels.read(file.path)
    if reading.label is None:
        return "no label: name its folder after one, or fill in labels.csv"
    try:
        with file.path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    found = pattern.search(file.path.name) if pattern else None
    group = reading.group or (found.group(0) if found else "")
    stem = re.sub(r"[^\w.()+-]+", "_", file.path.stem).strip("._")[:LONGEST_NAME]
    name = f"{stem}-{digest[:8]}{file.path.suffix.lower()}"
    return Offer(INBOX, file.path, name, reading.label, digest, group)


def _walk(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if not path.is_dir())


def _was_taken(folder: Path, row: str) -> bool:
    """Whether the file of a row (`table:line: path`) is not there because it was taken in."""
    table, _, path = row.split(":", 2)
    inside = (Path(table).parent / path.strip()).relative_to(folder)
    return any((folder.parent / TAKEN).glob(f"*/{folder.name}/{_plain(inside)}"))


def _plain(path: Path) -> str:
    """A path that `glob` takes for itself."""
    return re.sub(r"([*?[])", r"[\1]", path.as_posix())


def settle(offers: Iterable[Offer]) -> Offered:
    """One offer for each image; images that people label differently are left."""
    by_image: dict[str, list[Offer]] = defaultdict(list)
    for offer in offers:
        by_image[offer.sha256].append(offer)
    settled, left = [], []
    for same in by_image.values():
        counts = Counter(fold(offer.label) for offer in same)
        # A file in the inbox goes first: taken in, it is set aside.
        first = min(same, key=lambda offer: (offer.source != INBOX, offer.name))
        if len(counts) == 1:
            asked = next((offer for offer in same if offer.said), first)
            said, sure = asked.said, asked.probability
            settled.append(replace(first, voices=len(same), said=said, probability=sure))
        else:
            spelled = Counter(offer.label for offer in same)
            words = ", ".join(f"{label} ({n})" for label, n in spelled.most_common())
            left.append(Left(first.source, _shown(first), f"disputed: {words}", first.origin))
    return sorted(settled, key=_order), left


def _order(offer: Offer) -> tuple[object, ...]:
    """By label; what the service got wrong goes first."""
    right = not offer.said or offer.said == offer.label
    return offer.label, right, offer.source, offer.name


def compare(
    offers: Iterable[Offer],
    present: Mapping[str, str | None],
    closed: Collection[str],
    declined: Collection[tuple[str, str]],
) -> tuple[list[Offer], list[Left], list[Offer]]:
    """What of the offers is new to a task, what cannot come in, and what it has already.

    Args:
        present: the labels of the task's images by SHA-256; None: taken out, or without a label.
        closed: the labels that the task knows; empty: any.
        declined: SHA-256 and label that a person has refused before.
    """
    spelled = {fold(label): label for label in [*filter(None, present.values()), *closed]}
    new, left, there = [], [], []
    for offer in offers:
        named = replace(offer, label=spelled.get(fold(offer.label), offer.label))
        has = present.get(offer.sha256, "")
        if has == named.label:
            there.append(named)
        elif reason := _refused(named, has, closed, declined):
            left.append(Left(offer.source, _shown(offer), reason, offer.origin))
        else:
            new.append(named)
    return new, left, there


def _refused(
    offer: Offer,
    has: str | None,
    closed: Collection[str],
    declined: Collection[tuple[str, str]],
) -> str:
    if has is None:
        return "is in the data, where a person took it out or it has no label"
    if has:
        return f"is in the data as {has}: if that is wrong, correct it with `roadworthy audit`"
    if closed and offer.label not in closed:
        return f"{offer.label!r} is none of {', '.join(closed)}"
    if (offer.sha256, offer.label) in declined:
        return "declined before"
    return ""


def _shown(offer: Offer) -> str:
    if offer.source == INBOX:
        return f"{offer.origin.as_posix()} ({offer.label})"
    return f"image {offer.sha256[:8]} ({offer.label})"
