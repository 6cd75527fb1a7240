"""fetch: the collections that a task names in `sources:`, as a new version of the data."""

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from roadworthy import params
from roadworthy.data import companions, staging, version
from roadworthy.data.sources import cards, kaggle
from roadworthy.data.sources.collect import Collected, collect, is_image, put
from roadworthy.data.sources.unpack import DamagedError, Limits, unpack
from roadworthy.errors import DataError
from roadworthy.params import Card, Task
from roadworthy.pipeline.setup import draw
from roadworthy.progress import bar

UNPACKED = Path(".cache/unpacked")
# Names shown of images without a label.
SHOWN = 5

Wanted = dict[str, tuple[Task, tuple[Card, ...]]]


def run(task: str = "", check: bool = False, replace: bool = False) -> None:
    """Bring the images of a task's sources, or of all tasks that have some, into `data/`.

    Each source has a folder of its own below the task's images, which is replaced; other images
    stay. A kill at any moment leaves the version that was, and what was downloaded.

    Args:
        check: only say whether Kaggle has newer versions than those that the cards pin.
        replace: leave the task's other images out of the new version.

    Raises:
        ParamsError: a card is not there, or is wrong.
        DataError: a collection cannot be had, or is not what its card says; nothing was changed.
    """
    wanted = _wanted(task)
    if check:
        for name, (_, found) in wanted.items():
            for card in found:
                print(f"{name}: {card.name}: {_compared(card, name)}")
        return
    _secure_present()
    collected = {
        name: [_bring(card, its) for card in found] for name, (its, found) in wanted.items()
    }
    made = version.change(partial(_put_all, wanted, collected, replace))
    shutil.rmtree(UNPACKED, ignore_errors=True)
    _report(collected, made)


def _wanted(task: str) -> Wanted:
    """Tasks with their cards, all checked before any work."""
    checked = params.load()
    names = (
        [checked.task(task).name] if task else [n for n, t in checked.tasks.items() if t.sources]
    )
    tasks = {name: checked.tasks[name] for name in names}
    bare = [name for name, its in tasks.items() if not its.sources]
    if bare or not tasks:
        raise DataError(
            f"{f'tasks.{task}' if task else 'no task'} has `sources:` in params.yaml; such a list "
            f"names cards that ship ({', '.join(cards.shipped())}), files of your own, or holds cards"
        )
    for name, its in tasks.items():
        if version.DATA not in its.images.parents:
            where = f"tasks.{name}.images is {its.images}"
            raise DataError(
                f"{where}, which is not below {version.DATA}/: change it in params.yaml"
            )
    return {
        n: (its, cards.load_cards(its.sources, f"tasks.{n}.sources")) for n, its in tasks.items()
    }


def _compared(card: Card, task: str) -> str:
    if card.kaggle is None:
        return f"{card.folder} is a folder; `roadworthy fetch {task}` takes it as it is"
    newest = kaggle.newest(card)
    if card.version == newest:
        return f"version {newest} of {card.kaggle} is the newest"
    if card.version is None:
        return f"no version is pinned; the newest of {card.kaggle} is {newest}: say `version: {newest}`"
    shipped = cards.SHIPPED / f"{card.name}.yaml"
    where = "the card"
    if shipped.is_file() and cards.read_card(shipped) == card:
        where = f"a copy of {shipped} that `sources` names by its path"
    return (
        f"version {newest} of {card.kaggle} is out, and {card.version} is pinned. To take it, set "
        f"`version: {newest}` in {where}, then `roadworthy fetch {task}`"
    )


def _secure_present() -> None:
    """The present version must be the recorded one, and in DVC's cache, before another is made."""
    if version.RECORD.is_file():
        print(f"data: {version.ensure(draw)}")
    elif version.DATA.is_dir():
        version.accept()


def _bring(card: Card, task: Task) -> Collected:
    """What a card brings; nothing of `data/` is touched."""
    root = card.folder.expanduser() if card.folder else _unpacked(card)
    if not root.is_dir():
        raise DataError(f"the card {card.name!r} names the folder {root}, which is not there")
    return collect(card, root, task.label)


def _unpacked(card: Card) -> Path:
    with bar(f"download {card.name}") as progress:
        archive = kaggle.download(card, progress)
    target = UNPACKED / f"{card.kaggle}-{card.version}".replace("/", "-")
    try:
        with bar(f"unpack {card.name}") as progress:
            return unpack(archive, target, Limits(card.max_gb * 1e9), is_image, progress)
    except DamagedError as error:
        archive.unlink()
        raise DataError(f"{error}; it was deleted: run the command again") from None


def _put_all(
    wanted: Wanted, collected: dict[str, list[Collected]], replace: bool, folder: Path
) -> None:
    """Change the staged `data/` in `folder`."""
    for name, found in collected.items():
        images = folder / wanted[name][0].images.relative_to(version.DATA)
        if replace:
            shutil.rmtree(images, ignore_errors=True)
        for its in found:
            target = images / its.card.name
            shutil.rmtree(target, ignore_errors=True)
            put(its, target, _how(its.card))
            if its.card.folder and not its.card.labels:
                companions.bring(its.root, target, [its.root / path for path in its.places])


def _how(card: Card) -> Callable[[Path, Path], None]:
    """A person's own files are copied: a link would change with them."""
    return staging.copy if card.folder else staging.link


def _report(collected: dict[str, list[Collected]], made: version.Version) -> None:
    for name, found in collected.items():
        for its in found:
            _print_source(name, its)
    if made.changes is not None and not made.changes:
        print(f"nothing changed: data/ is still version {made}")
        return
    print(f"data version {made}\n{made.message}")
    print(f'next: git commit -m "data: {made.message}" {version.RECORD}')
    for name in collected:
        print(f"then: dvc repro export@{name} && roadworthy promote --task {name}")


def _print_source(task: str, its: Collected) -> None:
    origin = f"{its.card.kaggle} version {its.card.version}" if its.card.kaggle else its.root
    print(f"{task}: {its.card.name}: {len(its.places)} images of {origin} ({its.card.licence})")
    for label, count in sorted(its.counts.items()):
        print(f"  {count:6} {label}")
    if its.unlabelled:
        print(f"  {len(its.unlabelled):6} left out, without a label: {_some(its.unlabelled)}")


def _some(paths: Sequence[object]) -> str:
    return ", ".join(sorted(map(str, paths))[:SHOWN]) + (" ..." if len(paths) > SHOWN else "")
