"""What torchvision says of its classifiers."""

import pytest

from roadworthy.errors import ParamsError
from roadworthy.models import catalogue
from roadworthy.params import Backbone, Input

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("backbone", "side", "mean"),
    [
        (Backbone(name="resnet50"), 224, IMAGENET[0]),
        (Backbone(name="resnet50", weights="IMAGENET1K_V1"), 224, IMAGENET[0]),
        (Backbone(name="inception_v3", weights=None), 299, IMAGENET[0]),
        (Backbone(name="efficientnet_b3", weights="some/file.pth"), 300, IMAGENET[0]),
        (Backbone(name="efficientnet_v2_l"), 480, (0.5, 0.5, 0.5)),
        (Backbone(name="vit_b_16"), 224, IMAGENET[0]),
        (Backbone(name="vit_b_16", weights="IMAGENET1K_SWAG_E2E_V1"), 384, IMAGENET[0]),
    ],
)
def test_size_and_normalisation_are_the_weights_own(
    backbone: Backbone, side: int, mean: tuple[float, ...]
) -> None:
    """Those of the named weights, of the best ones where `weights` names none of torchvision's."""
    found = catalogue.resolve(Input(size="backbone", margin=1.2, fit="pad"), backbone)
    assert (found.size, found.height, found.width, found.mean) == ("set", side, side, mean)
    assert (found.margin, found.fit) == (1.2, "pad")


def test_a_set_size_stays() -> None:
    """Whatever the backbone was made with."""
    spec = Input(height=64, width=96)
    assert catalogue.resolve(spec, Backbone()) is spec


@pytest.mark.parametrize(
    ("name", "mean", "std"), [("resnet18", 0.449, 0.226), ("googlenet", 0.5, 0.5)]
)
def test_grey_images_have_one_mean(name: str, mean: float, std: float) -> None:
    """That of the colours; Inception's and GoogLeNet's weights come from a range of -1 to 1."""
    found = catalogue.native(name, channels=1)
    assert (found.mean, found.std) == ((mean,), (std,))


def test_the_patch_network_has_no_size_of_its_own() -> None:
    """It was never trained on anything else."""
    with pytest.raises(ParamsError, match="set height and width"):
        catalogue.resolve(Input(size="backbone"), Backbone(name="patch_cnn"))


@pytest.mark.parametrize("name", catalogue.names())
def test_all_have_facts(name: str) -> None:
    """A table with holes would help nobody choose."""
    facts = catalogue.facts(name)
    assert 1 <= facts.least <= facts.native.width <= 600
    assert facts.parameters > 1e6
    assert facts.gflops > 0.01
    assert 50 < facts.top1 < 90
    catalogue.check_size(name, facts.native.height, facts.native.width)


def test_those_that_cannot_be_resized_are_known() -> None:
    """Position is learned there, or the hidden layer has a weight per place."""
    fixed = [name for name in catalogue.names() if catalogue.has_one_size(name)]
    assert fixed == ["maxvit_t", "vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32"]
    assert catalogue.has_one_size("patch_cnn")
