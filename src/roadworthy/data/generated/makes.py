"""The makes: face, model names and the ways a collector writes them. One entry adds a make."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from roadworthy.data.generated.fronts import CHROME, DARK, Badge, Face, Grille, Lamps


@dataclass(frozen=True)
class Make:
    """A make of car with a face of its own."""

    name: str
    spellings: tuple[str, ...]
    models: tuple[str, ...]
    face: Face


_LOWER = Grille("wide hexagon", (-70, 3, 70, 15), rim=None)

MAKES: tuple[Make, ...] = (
    Make(
        "Audi",
        ("Audi", "audi", "AUDI"),
        ("A3", "A4", "A6", "Q5", "TT"),
        Face(
            (Grille("hexagon", (-36, 4, 36, 54), "rows"),),
            (Lamps("slant", (46, 38, 94, 56)),),
            Badge("rings", (0, 46), 8),
        ),
    ),
    Make(
        "BMW",
        ("BMW", "bmw"),
        ("3 Series", "5 Series", "X3", "X5", "M4"),
        Face(
            (
                _LOWER,
                Grille("soft", (-33, 24, -3, 53), "columns"),
                Grille("soft", (3, 24, 33, 53), "columns"),
            ),
            (Lamps("soft", (46, 34, 94, 53), "twin"),),
            Badge("roundel", (0, 60), 7),
        ),
    ),
    Make(
        "Ford",
        ("Ford", "ford", "FORD"),
        ("Focus", "Fiesta", "Mondeo", "Kuga", "Mustang"),
        Face(
            (Grille("wide hexagon", (-52, 20, 52, 48), "rows"),),
            (Lamps("drop", (60, 34, 96, 57)),),
            Badge("blue oval", (0, 35), 12),
        ),
    ),
    Make(
        "Toyota",
        ("Toyota", "toyota"),
        ("Corolla", "Yaris", "Camry", "RAV4", "Auris"),
        Face(
            (Grille("mouth", (-70, 0, 70, 30), rim=None), Grille("smile", (-46, 40, 46, 56))),
            (Lamps("blade", (44, 38, 97, 56)),),
            Badge("ellipses", (0, 47), 8),
        ),
    ),
    Make(
        "Volkswagen",
        ("Volkswagen", "volkswagen", "VW", "vw"),
        ("golf", "Passat", "Polo", "Tiguan", "Jetta"),
        Face(
            (_LOWER, Grille("box", (-54, 38, 54, 52), "two lines", None, bars=CHROME)),
            (Lamps("box", (56, 35, 96, 55), "bulb"),),
            Badge("disc", (0, 46), 12),
        ),
    ),
    Make(
        "Mercedes-Benz",
        ("mercedes-benz", "Mercedes-Benz", "Mercedes Benz", "mercedes"),
        ("c-class", "e-class", "GLC", "A 200", "CLA"),
        Face(
            (Grille("mouth", (-48, 18, 48, 55), "mesh", CHROME),),
            (Lamps("drop", (52, 34, 94, 56), "bulb"),),
            Badge("star", (0, 36), 16),
        ),
    ),
    Make(
        "Land Rover",
        ("land rover", "Land Rover", "Land-Rover", "land_rover"),
        ("defender", "Discovery", "Freelander", "Evoque"),
        Face(
            (Grille("box", (-50, 22, 50, 54), "mesh", (96, 98, 100)),),
            (Lamps("box", (56, 26, 94, 54), "twin"),),
            Badge("green oval", (28, 28), 7),
        ),
    ),
    Make(
        "Rover",
        ("Rover", "rover", "ROVER"),
        ("75", "45", "25", "P6", "214"),
        Face(
            (Grille("shield", (-25, 16, 25, 56), "columns", CHROME, CHROME, DARK), _LOWER),
            (Lamps("round", (34, 34, 58, 56), "bulb"), Lamps("round", (64, 34, 92, 57), "bulb")),
            Badge("word", (0, 56), 6),
        ),
    ),
    Make(
        "Volvo",
        ("Volvo", "volvo", "VOLVO"),
        ("V70", "XC60", "S60", "V40", "240"),
        Face(
            (Grille("soft", (-44, 22, 44, 54), "diagonal", bars=CHROME),),
            (Lamps("box", (52, 34, 96, 54), "hammer"),),
            Badge("arrow", (0, 38), 10),
        ),
    ),
    Make(
        "Honda",
        ("Honda", "honda"),
        ("Civic", "Accord", "Jazz", "CR-V", "HR-V"),
        Face(
            (
                Grille("wide hexagon", (-58, 24, 58, 44), "plain", None),
                Grille("box", (-58, 44, 58, 52), "plain", None, CHROME),
                _LOWER,
            ),
            (Lamps("slant", (54, 34, 98, 57), "cubes"),),
            Badge("h", (0, 45), 10),
        ),
    ),
    Make(
        "Jeep",
        ("Jeep", "jeep", "JEEP"),
        ("Wrangler", "Renegade", "Compass", "Cherokee"),
        Face(
            tuple(Grille("soft", (u - 5, 20, u + 5, 55), rim=None) for u in range(-45, 46, 15)),
            (Lamps("round", (60, 28, 92, 58), "bulb"),),
            Badge("word", (0, 61), 7),
        ),
    ),
    Make(
        "Fiat",
        ("Fiat", "fiat", "FIAT"),
        ("500", "Panda", "Punto", "Tipo", "Uno"),
        Face(
            (Grille("box", (-52, 44, 52, 49), rim=None, fill=CHROME), _LOWER),
            (Lamps("round", (56, 36, 94, 62), "bulb"), Lamps("round", (58, 10, 84, 31), "bulb")),
            Badge("red disc", (0, 46), 14),
        ),
    ),
    Make(
        "Tesla",
        ("Tesla", "tesla", "TESLA"),
        ("Model S", "Model 3", "model-x", "Model Y"),
        Face(
            (Grille("soft", (-86, 0, 86, 14), rim=None),),
            (Lamps("blade", (58, 40, 97, 57)),),
            Badge("t", (0, 54), 8),
            plate=18,
        ),
    ),
)


def file_stem(rng: Random, make: Make, number: str) -> str:
    """Return a file name without its ending, written one of the ways collectors write them."""
    spelling, model = rng.choice(make.spellings), rng.choice(make.models)
    year = str(rng.randint(1998, 2023))
    glue = rng.choice(("_", "_", " ", "-"))
    if glue == "_" and rng.random() < 0.5:
        spelling, model = spelling.replace(" ", "_"), model.replace(" ", "_")
    parts = {
        "full": [spelling, model, year, number],
        "year first": [year, spelling, model, number],
        "short": [spelling, model, number],
    }[rng.choice(("full", "full", "year first", "short"))]
    return glue.join(parts)
