"""How fast training is: `python -m benchmarks.training [NAME ...]`, all of these on a CPU by default.

a       the road's epoch against the reference way: JPEG files, workers, per-image transforms, fp32
b       the road's epoch against the bare step of the model: what the road costs
c       seconds of an epoch as images grow 1, 4 and 16 times
d       the loader alone against PIL with per-image transforms, per core
step    the bf16 step as a share of the same run's bf16 matrix product, by size of the input
phases  only the head, with and without cached features, against the full step
sweep   b on a GPU: batch sizes, eager and compiled, images on the device and not

Everything that is compared runs in this process, in turns, and medians are reported. Ten minutes on
two cores; run it on a quiet machine, and compare ratios rather than numbers. On a GPU the same
commands run with more images; `training/` needs no tracker, flow or DVC for it.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from roadworthy import environment

NAMES = ("a", "b", "c", "d", "step", "phases", "sweep")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and save; or print what was saved as Markdown."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}, but {', '.join(NAMES)}")
    if options.markdown:
        from benchmarks.reporting import markdown, read

        print(markdown(read(options.json)))
        return
    # Before torch is imported: OpenMP reads its switches then.
    environment.apply()
    from benchmarks import training_measures as measures
    from benchmarks.reporting import save

    setting = measures.setting(options)
    names = options.names or NAMES[: -1 if setting.machine.device == "cpu" else None]
    found = []
    for name in names:
        began = time.perf_counter()
        found.append(measures.MEASURES[name](setting))
        print(found[-1].text(), flush=True)
        print(f"{name} took {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        save(found, options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--size", type=int, help="pixels of a side (224; c on a CPU: 64)")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="(cuda, where there is one)")
    parser.add_argument("--images", type=int, help="per epoch (CPU: 64, GPU: 16384)")
    parser.add_argument("--batch-size", type=int, help="(CPU: 16, GPU: 256)")
    parser.add_argument("--rounds", type=int, default=4, help="after one that does not count")
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto")
    parser.add_argument("--threads", type=int, help="of the road (measured)")
    parser.add_argument("--workers", type=int, default=0, help="of the road's loader")
    parser.add_argument("--device-cache", choices=("auto", "on", "off"), default="auto")
    parser.add_argument("--compile", action="store_true", help="torch.compile, road and bare step")
    parser.add_argument("--json", type=Path, help="one file for all (artifacts/bench/NAME.json)")
    parser.add_argument("--markdown", action="store_true", help="print what was saved, and end")
    return parser


if __name__ == "__main__":
    main()
