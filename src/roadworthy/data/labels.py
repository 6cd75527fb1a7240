"""Read an image's label from its folder or its file name; what matches nothing stays unlabelled."""

import re
from functools import lru_cache
from pathlib import PurePath

from roadworthy.data.makes import MAKES
from roadworthy.params import Label


def read_label(path: PurePath, rule: Label, root: PurePath) -> str | None:
    """The label of the image at `path`, by the first way in `rule.source` that gives one.

    Folder: the name of the folder around the image, if that is below the task's `root`. File name:
    a known class (or make of car) or alias as whole words, longest first, so that "Land Rover" is
    not "Rover".
    """
    for way in rule.source:
        if way == "filename":
            label = _from_name(path.stem, rule)
        else:
            label = _from_folder(path.parent.name, rule) if path.parent != root else None
        if label is not None:
            return label
    return None


def _from_folder(name: str, rule: Label) -> str | None:
    """An open set of classes takes the folder's name as it is, unless it is a make or an alias."""
    known = _spellings(rule)
    return known.get(_words(name)) or (None if rule.classes else name)


def _from_name(stem: str, rule: Label) -> str | None:
    words = f" {_words(stem)} "
    known = _spellings(rule)
    for spelling in sorted(known, key=lambda text: (-len(text), text)):
        if f" {spelling} " in words:
            return known[spelling]
    return None


def _spellings(rule: Label) -> dict[str, str]:
    return _table(rule.classes or MAKES, tuple(sorted(rule.aliases.items())))


@lru_cache
def _table(classes: tuple[str, ...], aliases: tuple[tuple[str, str], ...]) -> dict[str, str]:
    own = {_words(name): name for name in classes}
    return own | {_words(alias): name for alias, name in aliases}


def _words(text: str) -> str:
    """Lower-case words, with every separator a single space."""
    return re.sub(r"[\W_]+", " ", text).strip().casefold()
