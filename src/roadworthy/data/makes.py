"""Car makes as people write them, and how a known name is found in what somebody called a file."""

import re
import unicodedata
from collections.abc import Iterable, Mapping

MAKES = tuple(
    name.strip()
    for name in """
    Abarth, AC, Acura, Alfa Romeo, Alpina, Alpine, AM General, Aptera, Aston Martin, Audi, Austin,
    Bentley, BMW, Bugatti, Buick, BYD, Cadillac, Caterham, Chery, Chevrolet, Chrysler, Citroen,
    Cupra, Dacia, Daewoo, Daihatsu, Daimler, Datsun, DeLorean, Dodge, DS, Eagle, Ferrari, Fiat,
    Fisker, Ford, Foton, GAC, Geely, Genesis, Geo, GMC, Great Wall, Haval, Hindustan, Holden, Honda,
    Hummer, Hyundai, Infiniti, Isuzu, Iveco, JAC, Jaguar, Jeep, Jensen, Karma, Kia, Koenigsegg, KTM,
    Lada, Lamborghini, Lancia, Land Rover, Lexus, Lincoln, Lotus, Lucid, Mahindra, Maruti, Maserati,
    Maybach, Mazda, McLaren, Mercedes-Benz, Mercury, MG, Mini, Mitsubishi, Morgan, Morris, Nio,
    Nissan, Oldsmobile, Opel, Pagani, Panoz, Perodua, Peugeot, Pininfarina, Plymouth, Polestar,
    Pontiac, Porsche, Proton, Ram, Renault, Rimac, Rivian, Roewe, Rolls-Royce, Rover, Saab, Saleen,
    Saturn, Scion, Seat, Skoda, Smart, Spyker, SsangYong, Studebaker, Subaru, Suzuki, Talbot, Tata,
    Tesla, Toyota, Trabant, Triumph, TVR, Vauxhall, VinFast, Volkswagen, Volvo, Wartburg, Wiesmann,
    Wuling, Xpeng, Zastava, Zeekr
    """.replace("\n", " ").split(",")
)

# Other names that can mean one make only.
ALIASES = {
    "alfa": "Alfa Romeo",
    "aston": "Aston Martin",
    "beemer": "BMW",
    "benz": "Mercedes-Benz",
    "bimmer": "BMW",
    "chevy": "Chevrolet",
    "lambo": "Lamborghini",
    "merc": "Mercedes-Benz",
    "mercedes": "Mercedes-Benz",
    "range rover": "Land Rover",
    "rolls": "Rolls-Royce",
    "volkswagon": "Volkswagen",
    "vw": "Volkswagen",
}

# Names that are also plain words, or begin some: another make in the same file name goes before
# them ("Hyundai Genesis", "Dodge Ram", "smart crop of an Audi"), and as the beginning of a longer
# word they count only if a digit follows ("ram1500", not "ramp01" or "smartphone").
WORDS = frozenset(
    """
    ac alpine aston austin daimler dodge ds eagle genesis geo jac jensen karma lincoln lotus lucid
    merc mercury mg mini morgan morris plymouth proton ram rolls rover saturn scion seat smart
    talbot tata triumph
    """.split()  # noqa: SIM905
) | {"great wall"}
_SEPARATORS = {n: " " for n in range(128) if not chr(n).isalnum()}
# Words that begin like a make and go on with less than three letters.
NOT_MAKES = frozenset({"audio", "audit"})


def fold(text: str) -> str:
    """Lower-case words without accents, with every run of separators a single space."""
    if text.isascii():
        return " ".join(text.lower().translate(_SEPARATORS).split())
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not _is_mark(c))
    return re.sub(r"[\W_]+", " ", bare.casefold()).strip()


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) == "Mn"


class Names:
    """Known names with all their spellings, and how one is found in a text.

    Args:
        names: the classes; a make among them, by any of its spellings, is known by all of them.
        aliases: further spellings, and which class each means.
    """

    def __init__(self, names: Iterable[str], aliases: Mapping[str, str] | None = None) -> None:
        names = tuple(names)
        own = {fold(name): name for name in names}
        self.spellings = _of_makes(names) | own
        for spelling, name in (aliases or {}).items():
            self.spellings[fold(spelling)] = self.spellings.get(fold(name), name)
        self._joined = {spelling.replace(" ", ""): spelling for spelling in self.spellings}
        self._most_words = max((s.count(" ") + 1 for s in self.spellings), default=1)

    def exact(self, text: str) -> str | None:
        """The class that `text` as a whole is a spelling of."""
        folded = fold(text)
        found = self.spellings.get(folded)
        return found or self.spellings.get(self._joined.get(folded.replace(" ", ""), ""))

    def find(self, text: str) -> str | None:
        """The class that `text` mentions, or None.

        Whole words go before beginnings of words; of several classes the one named first counts,
        of spellings that begin at the same word the longest: "Land Rover" is not "Rover".
        """
        words = fold(text).split(" ")
        found = self._whole(words) or self._beginnings(words)
        if not found:
            return None
        return self.spellings[next((s for s in found if s not in WORDS), found[0])]

    def _whole(self, words: list[str]) -> list[str]:
        found = []
        place = 0
        while place < len(words):
            for count in range(self._most_words, 0, -1):
                spelling = " ".join(words[place : place + count])
                if count == 1:
                    spelling = self._joined.get(spelling, spelling)
                if spelling in self.spellings:
                    found.append(spelling)
                    place += count - 1
                    break
            place += 1
        return found

    def _beginnings(self, words: list[str]) -> list[str]:
        found = (self._beginning(word.lstrip("0123456789")) for word in words)
        return [spelling for spelling in found if spelling]

    def _beginning(self, word: str) -> str | None:
        for length in range(len(word), 2, -1):
            spelling = self._joined.get(word[:length])
            if spelling and _goes_on(spelling, word, word[length:]):
                return spelling
        return None


def _goes_on(spelling: str, word: str, rest: str) -> bool:
    """Whether `word` is this spelling with a model or a number behind it, not another word."""
    if not rest or rest[0].isdigit():
        return True
    if spelling in WORDS or spelling not in _SPELLINGS:
        return False
    if len(spelling) >= 5:
        return True
    first = re.split(r"[^a-z]", word)[0]
    return first not in NOT_MAKES and re.match(r"[a-z]{1,2}\d", rest) is not None


def _of_makes(names: tuple[str, ...]) -> dict[str, str]:
    """Every spelling of each make that is among `names`, and the name it has there."""
    called = {_SPELLINGS[fold(name)]: name for name in names if fold(name) in _SPELLINGS}
    return {s: called[make] for s, make in _SPELLINGS.items() if make in called}


_SPELLINGS = {fold(make): make for make in MAKES} | ALIASES
