"""A bundle that was not made for searching, made to search: nothing is trained again."""

from pathlib import Path

from roadworthy.bundle.format import SPEC, BundleSpec, Searching, read_spec
from roadworthy.bundle.network import load_network
from roadworthy.bundle.write import export_search
from roadworthy.detection.convert import slide
from roadworthy.errors import BundleError
from roadworthy.layout import write_json
from roadworthy.params import Search


def convert(folder: Path, into: Path, settings: Search) -> BundleSpec:
    """Write into an empty folder what a `Finder` needs of the bundle in `folder`.

    Its boxes are whole windows, for it never learned where in them a thing lies; a box counts from
    the bundle's own threshold.

    Raises:
        BundleError: the bundle tells more than two labels apart, or is damaged.
        TrainingError: its network cannot slide.
    """
    spec = read_spec(folder)
    if spec.threshold is None:
        raise BundleError(
            f"{spec.task} cannot search: it does not answer yes or no; name a binary task"
        )
    sliding = slide(load_network(folder, spec), spec.input)
    searching = Searching(settings=settings, stride=sliding.stride, threshold=spec.threshold)
    found = spec.model_copy(update={"search": searching})
    write_json(into / SPEC, found.model_dump(mode="json"))
    export_search(sliding, into, settings)
    return found
