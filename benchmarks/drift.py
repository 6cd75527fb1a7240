"""How often drift is called where there is none, and found where there is some.

    python -m benchmarks.drift --from ARTIFACTS

Pictures are drawn anew, from another seed than the road's: traffic that is like validation. Part of them
is changed to night, to fog, and to another camera (`benchmarks.worlds`). All go through each task's
exported bundle; then windows of them are judged as `monitor` judges, with the settings of `params.yaml`
by default. A window is made of whole clips. Within a round no image comes twice; rounds begin with
another order. Judged are two kinds of windows without drift: against the bundle's own reference, and
against a reference of the same size drawn from the same pictures, anew for each window.
"""

import argparse
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.reporting import Result
from benchmarks.worlds import WORLDS, taken
from roadworthy.bundle.predictor import Predictor
from roadworthy.data import images
from roadworthy.data.generated import generate
from roadworthy.data.statistics import measure
from roadworthy.errors import DataError
from roadworthy.models.outputs import to_probabilities
from roadworthy.monitoring.judge import Judgement, Live, judge
from roadworthy.monitoring.reference import STATISTICS, Reference, read_reference
from roadworthy.params import Monitor

SEED = 90210
PLAIN, ANY = "none", "none, any reference"
TASKS = ("police", "car", "brand", "detector")


@dataclass(frozen=True)
class Pool:
    """What a bundle makes of many images."""

    statistics: np.ndarray
    """float64 (N, 6)."""
    probabilities: np.ndarray
    embeddings: np.ndarray
    clips: np.ndarray
    """Number of its clip (N,)."""

    def live(self, places: np.ndarray) -> Live:
        """Some of them as a window."""
        statistics = dict(zip(STATISTICS, self.statistics[places].T, strict=True))
        return Live(statistics, self.probabilities[places], self.embeddings[places])

    def reference(self, places: np.ndarray) -> Reference:
        """Some of them as a bundle's reference."""
        columns = self.statistics[places].T.astype(np.float32)
        statistics = dict(zip(STATISTICS, columns, strict=True))
        answers = self.probabilities[places].astype(np.float32)
        return Reference({}, statistics, answers, self.embeddings[places].astype(np.float16))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--windows", type=int, default=200, help="Of each kind without drift.")
    parser.add_argument("--changed", type=int, default=200, help="Windows of each change.")
    parser.add_argument("--size", type=int, default=200, help="Images in a window.")
    parser.add_argument("--images", type=int, default=3000, help="Pictures of a pool.")
    parser.add_argument("--scale", type=float, default=2.7, help="Of the drawn data set.")
    parser.add_argument("--pictures", type=Path, help="Drawn before; or where to draw them.")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        pictures = options.pictures or Path(name) / "pictures"
        if not pictures.is_dir():
            generate(pictures, seed=SEED, scale=options.scale)
        rows = [
            row
            for task in options.tasks
            for row in measured(options.artifacts / task / "export", pictures / task, options)
        ]
    about = {"images in a window": options.size, "false_alarms": Monitor().false_alarms}
    print(Result("drift", "Windows with an alarm", rows, about).markdown())


def measured(bundle: Path, pictures: Path, options: argparse.Namespace) -> Iterator[dict[str, str]]:
    """The rows of one task."""
    predictor, reference = Predictor(bundle), read_reference(bundle)
    plain = pooled(predictor, pictures, options.images)
    yield row(bundle, PLAIN, windows(plain, options.windows, options.size, reference))
    yield row(bundle, ANY, windows(plain, options.windows, options.size, len(reference)))
    for world in WORLDS:
        for strength in (1.0, 0.5):
            pool = pooled(predictor, pictures, options.images // 3, world, strength)
            found = windows(pool, options.changed, options.size, reference)
            yield row(bundle, world if strength == 1 else f"{world}, half as strong", found)


def row(bundle: Path, name: str, found: Iterator[Judgement]) -> dict[str, str]:
    """How many windows were called drifted, and by which tests."""
    judged = list(found)
    by = Counter(test.name for each in judged for test in each.tests if test.alarm)
    said = ", ".join(f"{test} {count / len(judged):.0%}" for test, count in by.most_common())
    drifted = sum(each.drifted for each in judged)
    task = bundle.parent.name
    print(task, name, drifted, len(judged), said, flush=True)
    return {"task": task, "change": name, "alarms": f"{drifted / len(judged):.1%}", "by": said}


def windows(pool: Pool, count: int, size: int, reference: Reference | int) -> Iterator[Judgement]:
    """Judgements of `count` windows of `size` images.

    Args:
        reference: the bundle's, or how many images of the pool are one for each window.
    """
    rng = np.random.default_rng(0)
    left = np.zeros(0, np.int64)
    for number in range(count):
        apart = reference if isinstance(reference, int) else 0
        if len(left) < size + apart or apart:
            order = rng.permutation(pool.clips.max() + 1)
            left = np.argsort(order[pool.clips], kind="stable")
        # One image of a clip is enough for a reference.
        known = left[np.unique(pool.clips[left], return_index=True)[1]]
        known = rng.permutation(known)[:apart]
        against = pool.reference(known) if apart else reference
        rest = left[~np.isin(pool.clips[left], pool.clips[known])]
        left = rest[size:]
        assert isinstance(against, Reference)
        yield judge(against, pool.live(rest[:size]), Monitor(), None, seed=number)


def pooled(
    predictor: Predictor, pictures: Path, count: int, world: str = "", strength: float = 0.0
) -> Pool:
    """Pictures below a folder, changed and answered; those that cannot be read are left out."""
    files = sorted(path for path in pictures.rglob("*") if path.is_file())
    files.sort(key=lambda path: zlib.crc32(_clip(path).encode()))
    statistics, pixels, clips = [], [], []
    for number, path in enumerate(files[:count]):
        try:
            content = path.read_bytes()
            if world:
                content = taken(images.open_image(content), world, strength, number)
            figures = measure(images.decode(content))
            pixels.append(predictor.prepare(content))
        except DataError:
            continue
        statistics.append([figures[name] for name in STATISTICS])
        clips.append(_clip(path))
    found = predictor.outputs(np.stack(pixels))
    assert found.embedding is not None
    answers = to_probabilities(found.logits, predictor.spec.temperature)
    numbers = np.unique(clips, return_inverse=True)[1]
    return Pool(np.array(statistics), answers, found.embedding, numbers)


def _clip(path: Path) -> str:
    """What frames of one clip have in common; a single picture's own path."""
    _, found, rest = path.stem.partition("_clip")
    return f"{path.parent.parent}{found}{rest.partition('_')[0]}" if found else str(path)


if __name__ == "__main__":
    main()
