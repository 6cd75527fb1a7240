"""What differs between two versions of `data/`: images added, removed, relabelled, moved, changed."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain
from pathlib import Path

from roadworthy import params
from roadworthy.data.labels import Labels
from roadworthy.errors import ParamsError

# The files of a version: posix path below `data/`, and hash of the content.
Listing = Mapping[str, str]
LabelOf = Callable[[str], str | None]
# Task and hash.
Content = tuple[str, str]
# Files that say something of images: labels and boxes.
BESIDE = frozenset({".csv", ".txt", ".yaml"})
# Names shown of each kind of change.
SHOWN = 10


@dataclass(frozen=True)
class Changes:
    """Sorted paths below `data/`; of `relabelled` and `moved`, the new ones."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    relabelled: tuple[str, ...] = ()
    """The same content under another label of the same task."""
    moved: tuple[str, ...] = ()
    """The same content and label under another name."""
    changed: tuple[str, ...] = ()
    """The same name, other content."""

    def __bool__(self) -> bool:
        return any(paths for _, paths in self._kinds())

    def __str__(self) -> str:
        """Counts per task in one line, such as `car: 4165 added, 12 removed; brand: 3 relabelled`."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for kind, paths in self._kinds():
            for path in paths:
                beside = Path(path).suffix.lower() in BESIDE
                counts[_task(path)][f"other files {kind}" if beside else kind] += 1
        return "; ".join(
            f"{task}: " + ", ".join(f"{count} {kind}" for kind, count in found.items())
            for task, found in sorted(counts.items())
        )

    def listing(self) -> str:
        """One paragraph per kind: how many, and the first names."""
        lines = []
        for kind, paths in self._kinds():
            if paths:
                lines.append(f"  {len(paths)} {kind}:")
                lines += [f"    data/{path}" for path in paths[:SHOWN]]
                lines += [f"    and {len(paths) - SHOWN} more"] if len(paths) > SHOWN else []
        return "\n".join(lines)

    def _kinds(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        return vars(self).items()


def compare(old: Listing, new: Listing, label_of: LabelOf | None = None) -> Changes:
    """What `new` has that `old` has not, by path and by content.

    Args:
        label_of: the label of a path; None reads labels as `params.yaml` says.
    """
    label_of = label_of or labels()
    gone: dict[Content, list[str]] = defaultdict(list)
    come: dict[Content, list[str]] = defaultdict(list)
    for path in sorted(old.keys() - new.keys()):
        gone[_task(path), old[path]].append(path)
    for path in sorted(new.keys() - old.keys()):
        come[_task(path), new[path]].append(path)
    moved: list[str] = []
    relabelled: list[str] = []
    for content in gone.keys() & come.keys():
        moved += _pair(gone[content], come[content], label_of)
        relabelled += _pair(gone[content], come[content], lambda path: None)
    added, removed = (chain(*paths.values()) for paths in (come, gone))
    changed = (path for path in old.keys() & new.keys() if old[path] != new[path])
    return Changes(
        *(tuple(sorted(paths)) for paths in (added, removed, relabelled, moved, changed))
    )


def _pair(gone: list[str], come: list[str], label_of: LabelOf) -> list[str]:
    """Take out of both lists what has the same label, one for one; the new paths of those."""
    paired = []
    for path in list(come):
        label = label_of(path)
        origin = next((before for before in gone if label_of(before) == label), None)
        if origin is not None:
            gone.remove(origin)
            come.remove(path)
            paired.append(path)
    return paired


def labels() -> LabelOf:
    """How `params.yaml` reads the label of a path below `data/`; without it, the folder's name."""
    try:
        tasks = list(params.load().tasks.values())
    except ParamsError:
        tasks = []
    # A folder is walked for its `labels.csv` files only when it is asked about.
    readers = {task.images: cache(partial(Labels.of, task.label, task.images)) for task in tasks}

    def label_of(path: str) -> str | None:
        file = Path("data", path)
        for images, labels in readers.items():
            if images in file.parents:
                return labels().read(file).label
        return file.parent.name

    return label_of


def _task(path: str) -> str:
    return path.split("/", 1)[0]
