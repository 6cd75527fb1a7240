"""The shapes of vehicles: a new one is one entry in `BODIES`.

A body is drawn as seen from its left side, facing left, 1000 units long, y upwards from the road.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from roadworthy.data.generated.canvas import Point, smooth


@dataclass(frozen=True)
class Body:
    """One shape: the outline from the front bumper over the roof to the rear one."""

    name: str
    outline: tuple[Point, ...]
    windows: tuple[tuple[Point, ...], ...]
    windscreen: tuple[float, float]
    rear_screen: tuple[float, float]
    belt: float
    nose: tuple[float, float]
    wheels: tuple[float, ...]
    wheel: float = 78
    roof: tuple[float, float] = (430, 620)
    doors: tuple[float, ...] = (290, 510, 720)
    # The height of the whole front for a width of 1, were the roof 400 units high.
    slope: float = 0.76

    @cached_property
    def profile(self) -> tuple[Point, ...]:
        """The outline with rounded corners."""
        return smooth(self.outline)

    @cached_property
    def top(self) -> float:
        """The height of the roof."""
        return max(y for _, y in self.profile)

    @cached_property
    def mirrored(self) -> Body:
        """The same body driving backwards: what a look from behind needs."""
        return Body(
            self.name,
            tuple((1000 - x, y) for x, y in reversed(self.outline)),
            tuple(tuple((1000 - x, y) for x, y in window) for window in self.windows),
            (1000 - self.rear_screen[1], 1000 - self.rear_screen[0]),
            (1000 - self.windscreen[1], 1000 - self.windscreen[0]),
            self.belt,
            self.nose,
            tuple(1000 - x for x in self.wheels),
            self.wheel,
            (1000 - self.roof[1], 1000 - self.roof[0]),
            tuple(1000 - x for x in self.doors),
            self.slope,
        )


def _path(text: str) -> tuple[Point, ...]:
    """Return the points of 'x,y x,y ...'."""
    pairs = (pair.split(",") for pair in text.split())
    return tuple((float(x), float(y)) for x, y in pairs)


def _row(x0: float, x1: float, y0: float, y1: float, count: int) -> tuple[tuple[Point, ...], ...]:
    """Return a row of equal windows."""
    step = (x1 - x0) / count
    left = [x0 + step * index for index in range(count)]
    return tuple(((x, y0), (x, y1), (x + step - 14, y1), (x + step - 14, y0)) for x in left)


CARS: tuple[Body, ...] = (
    Body(
        "sedan",
        outline=_path(
            "10,85 0,150 14,225 70,250 275,272 395,375 480,398 615,396 690,376 805,292 965,278 "
            "992,235 1000,150 990,85"
        ),
        windows=(
            _path("305,276 412,364 497,380 497,280"),
            _path("515,280 515,380 612,378 680,355 758,290"),
        ),
        windscreen=(275, 440),
        rear_screen=(660, 805),
        belt=275,
        nose=(85, 250),
        wheels=(195, 800),
    ),
    Body(
        "hatchback",
        outline=_path(
            "10,85 0,160 16,235 80,262 265,288 390,396 480,420 800,414 895,390 965,280 992,210 "
            "990,85"
        ),
        windows=(
            _path("292,292 402,384 500,400 500,294"),
            _path("520,294 520,400 700,398 720,294"),
            _path("738,294 718,398 800,394 878,372 915,298"),
        ),
        windscreen=(265, 440),
        rear_screen=(850, 968),
        belt=288,
        nose=(85, 258),
        wheels=(190, 805),
        roof=(450, 680),
    ),
    Body(
        "suv",
        outline=_path(
            "8,110 0,180 10,268 60,290 250,306 345,415 430,436 880,432 940,410 985,300 1000,200 "
            "992,110"
        ),
        windows=(
            _path("282,310 360,404 480,416 480,312"),
            _path("500,312 500,416 700,414 700,314"),
            _path("720,314 720,414 880,410 930,314"),
        ),
        windscreen=(250, 390),
        rear_screen=(900, 990),
        belt=306,
        nose=(105, 286),
        wheels=(190, 805),
        wheel=92,
        roof=(420, 700),
    ),
    Body(
        "pickup",
        outline=_path(
            "6,110 0,190 10,265 60,284 250,300 345,405 430,424 560,420 612,400 628,296 985,292 "
            "1000,200 994,110"
        ),
        windows=(
            _path("280,304 358,392 445,404 445,306"),
            _path("463,306 463,404 560,400 596,380 606,306"),
        ),
        windscreen=(250, 390),
        rear_screen=(585, 640),
        belt=300,
        nose=(105, 280),
        wheels=(185, 800),
        wheel=92,
        roof=(400, 550),
        doors=(275, 455, 618),
    ),
    Body(
        "coupe",
        outline=_path(
            "10,80 0,140 14,212 80,236 300,258 425,352 520,374 610,370 720,346 880,268 970,262 "
            "994,220 1000,150 990,80"
        ),
        windows=(
            _path("330,262 440,342 545,357 600,354 600,266"),
            _path("618,266 618,352 700,336 800,276"),
        ),
        windscreen=(300, 480),
        rear_screen=(660, 880),
        belt=258,
        nose=(80, 236),
        wheels=(195, 800),
        wheel=80,
        roof=(480, 620),
        doors=(315, 640),
    ),
    Body(
        "estate",
        outline=_path(
            "10,85 0,150 14,225 70,250 270,272 385,375 470,398 860,396 930,372 980,275 1000,180 "
            "990,85"
        ),
        windows=(
            _path("298,276 400,364 487,380 487,280"),
            _path("505,280 505,382 680,382 690,280"),
            _path("708,280 700,382 850,380 905,362 938,284"),
        ),
        windscreen=(270, 430),
        rear_screen=(890, 985),
        belt=275,
        nose=(85, 250),
        wheels=(190, 800),
        roof=(420, 720),
    ),
    Body(
        "sports",
        outline=_path(
            "10,75 0,125 20,180 110,212 330,240 465,322 560,340 660,334 800,280 940,260 990,255 "
            "1000,150 985,75"
        ),
        windows=(
            _path("365,244 480,312 570,325 630,322 640,248"),
            _path("660,250 655,318 700,306 790,266"),
        ),
        windscreen=(330, 510),
        rear_screen=(690, 900),
        belt=240,
        nose=(75, 218),
        wheels=(200, 795),
        wheel=82,
        roof=(510, 640),
        doors=(350, 650),
    ),
    Body(
        "city car",
        outline=_path(
            "10,90 0,170 14,260 70,292 210,315 345,440 450,466 800,460 905,430 970,315 995,230 "
            "990,90"
        ),
        windows=(
            _path("240,320 360,428 520,446 520,322"),
            _path("545,322 545,446 790,440 885,410 915,324"),
        ),
        windscreen=(210, 400),
        rear_screen=(850, 970),
        belt=315,
        nose=(90, 288),
        wheels=(200, 795),
        wheel=92,
        roof=(430, 700),
        doors=(230, 535, 830),
    ),
)

VANS: tuple[Body, ...] = (
    Body(
        "van",
        outline=_path(
            "6,90 0,180 14,262 80,290 170,320 265,430 330,455 965,455 992,440 1000,200 994,90"
        ),
        windows=(_path("205,322 282,424 375,428 375,322"),),
        windscreen=(170, 330),
        rear_screen=(988, 1000),
        belt=320,
        nose=(90, 280),
        wheels=(180, 800),
        wheel=84,
        roof=(320, 900),
        doors=(190, 395, 640),
    ),
    Body(
        "minibus",
        outline=_path(
            "6,90 0,180 14,255 80,280 190,305 300,420 370,442 955,440 990,420 1000,200 994,90"
        ),
        windows=(_path("225,308 318,408 400,416 400,308"), *_row(420, 965, 308, 416, 3)),
        windscreen=(190, 360),
        rear_screen=(975, 1000),
        belt=305,
        nose=(90, 272),
        wheels=(180, 800),
        wheel=84,
        roof=(360, 900),
        doors=(210, 410, 620),
    ),
)

LARGE: tuple[Body, ...] = (
    Body(
        "bus",
        outline=_path("4,60 0,150 0,400 20,425 980,425 1000,410 1000,60"),
        windows=_row(30, 975, 225, 370, 7),
        windscreen=(-10, 40),
        rear_screen=(990, 1000),
        belt=200,
        nose=(70, 190),
        wheels=(180, 780),
        wheel=58,
        roof=(300, 700),
        doors=(110, 600),
        slope=1.35,
    ),
    Body(
        "coach",
        outline=_path("4,60 0,150 25,390 60,430 980,440 1000,420 1000,60"),
        windows=_row(80, 975, 240, 400, 5),
        windscreen=(-10, 45),
        rear_screen=(990, 1000),
        belt=200,
        nose=(70, 190),
        wheels=(200, 740, 850),
        wheel=56,
        roof=(300, 700),
        doors=(60,),
        slope=1.35,
    ),
    Body(
        "lorry",
        outline=_path(
            "4,80 0,150 10,330 30,400 205,420 215,420 235,480 990,480 1000,470 1000,110 240,100 "
            "230,80"
        ),
        windows=(_path("35,260 50,385 160,385 160,260"),),
        windscreen=(-10, 35),
        rear_screen=(995, 1000),
        belt=250,
        nose=(90, 220),
        wheels=(120, 720, 850),
        wheel=68,
        roof=(60, 180),
        doors=(235,),
        slope=1.35,
    ),
    Body(
        "tipper",
        outline=_path(
            "4,90 0,150 10,340 40,420 250,425 275,410 280,200 320,380 1000,400 960,190 950,110 "
            "290,100 270,90"
        ),
        windows=(_path("40,280 60,400 200,400 200,280"),),
        windscreen=(-10, 45),
        rear_screen=(995, 1000),
        belt=270,
        nose=(90, 230),
        wheels=(150, 700, 850),
        roof=(60, 200),
        doors=(290,),
        slope=1.35,
    ),
)

BODIES: dict[str, Body] = {body.name: body for body in (*CARS, *VANS, *LARGE)}
