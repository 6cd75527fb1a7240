"""Cards: which collection, which version of it, under what licence, and how its files get labels.

`sources:` of a task in `params.yaml` names cards that ship with this package (by name), card files
(by path), or holds cards itself.
"""

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import yaml
from pydantic import ValidationError

from roadworthy.errors import ParamsError
from roadworthy.params import Card

SHIPPED = Path(__file__).parents[1] / "cards"


def load_cards(sources: Sequence[str | Card], place: str) -> tuple[Card, ...]:
    """The cards that `sources` names.

    Args:
        place: where they are named, for messages; such as `tasks.car.sources`.

    Raises:
        ParamsError: a card is not there, is wrong, or two have the same name.
    """
    cards = tuple(s if isinstance(s, Card) else read_card(find_card(s, place)) for s in sources)
    twice = [name for name, count in Counter(card.name for card in cards).items() if count > 1]
    if twice:
        raise ParamsError(f"{place}: two cards are called {twice[0]!r}: rename one")
    return cards


def find_card(name: str, place: str) -> Path:
    """The file of a card: one that ships, or a path.

    Raises:
        ParamsError: neither is there.
    """
    path = SHIPPED / f"{name}.yaml" if name in shipped() else Path(name).expanduser()
    if path.is_file():
        return path
    known = shipped()
    near = get_close_matches(name, known, n=2, cutoff=0.5) or known
    raise ParamsError(
        f"{place}: there is no card {name!r}: name one that ships ({' or '.join(near)}), "
        f"or the path of a card file"
    )


def read_card(path: Path) -> Card:
    """The card in a YAML file.

    Raises:
        ParamsError: it is no card; the message names each wrong key.
    """
    try:
        return Card.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ParamsError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as failed:
        wrong = (".".join(map(str, e["loc"])) + f": {e['msg']}" for e in failed.errors())
        raise ParamsError(
            "\n".join(f"{path}: {line}".replace(": : ", ": ") for line in wrong)
        ) from None


def shipped() -> list[str]:
    """The names of the cards in this package."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))
