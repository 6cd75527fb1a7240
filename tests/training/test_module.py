"""Each setting of `train` does what its line says, in a training that really runs."""

from pathlib import Path
from typing import Any

import pytest
import torch

from roadworthy.data.cached import Cache
from roadworthy.errors import ParamsError
from roadworthy.training.module import Classifier
from small_training import plan_of, train, write_cache


@pytest.fixture
def data(tmp_path: Path) -> Cache:
    return write_cache(tmp_path)


class Seen:
    """What happened in each optimizer step of a training."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rates: list[dict[str, float]] = []
        self.sizes: list[tuple[int, ...]] = []
        self.images: list[int] = []
        self.epochs: list[int] = []
        original, views = Classifier._step, Classifier.losses

        def step(module: Classifier, made: torch.optim.Optimizer) -> None:
            taken: dict[str, float] = {}
            real = made.step

            def spying(*args: Any, **kwargs: Any) -> Any:
                taken.update({g["name"]: g["lr"] for g in made.param_groups})
                return real(*args, **kwargs)

            made.step = spying  # type: ignore[method-assign]
            original(module, made)
            made.step = real  # type: ignore[method-assign]
            self.rates.append(taken)
            self.epochs.append(module.current_epoch)

        def losses(module: Classifier, batch: Any) -> torch.Tensor:
            self.images.append(len(batch.targets))
            self.sizes.append(tuple(batch.pixels.shape))
            return views(module, batch)

        monkeypatch.setattr(Classifier, "_step", step)
        monkeypatch.setattr(Classifier, "losses", losses)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    return Seen(monkeypatch)


def weights_of(state: dict[str, torch.Tensor], part: str) -> torch.Tensor:
    return torch.cat([v.flatten() for k, v in state.items() if k.startswith(part)])


def test_accumulation_is_one_step_for_the_schedule(data: Cache, tmp_path: Path, seen: Seen) -> None:
    """A public project sized OneCycle per batch and stepped it per accumulation: it never came down."""
    train(plan_of(batch_size=4, accumulate=4), data, tmp_path / "kept")
    assert len(seen.rates) == 4 * 3 and set(seen.images) <= {3, 4}
    heads = [taken["head"] for taken in seen.rates]
    assert max(heads) == pytest.approx(0.003, rel=0.01) and heads[-1] < 0.003 * 1e-3


def test_early_stopping_keeps_the_length_of_the_schedule(
    data: Cache, tmp_path: Path, seen: Seen
) -> None:
    """The cycle is as long as the epochs that were planned, whenever it ends."""
    _, history = train(
        plan_of(epochs=20, patience=1, monitor="val/accuracy", lr=0.03), data, tmp_path / "kept"
    )
    assert len(history) < 20
    heads = [taken["head"] for taken in seen.rates]
    made = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], 0.03)
    planned = torch.optim.lr_scheduler.OneCycleLR(made, 0.03, total_steps=4 * 20)
    for rate in heads:
        assert rate == pytest.approx(made.param_groups[0]["lr"])
        made.step()
        planned.step()


def test_accumulated_gradients_are_those_of_the_whole_step(
    data: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four parts or one: the same loss, where no BatchNorm looks at the parts."""
    monkeypatch.setattr(torch.nn.functional, "batch_norm", lambda images, *_, **__: images)
    one, _ = train(plan_of(batch_size=16, epochs=1, optimizer="sgd"), data, tmp_path / "one")
    four, _ = train(
        plan_of(batch_size=4, accumulate=4, epochs=1, optimizer="sgd"), data, tmp_path / "four"
    )
    for name, value in one.items():
        assert "num_batches" in name or torch.allclose(value, four[name], atol=1e-4), name


def test_unfreezing_follows_the_epochs(data: Cache, tmp_path: Path, seen: Seen) -> None:
    """Head alone, then all, each with its own factor on the rate."""
    start, _ = train(plan_of(epochs=1, unfreeze=["head"]), data, tmp_path / "one")
    fresh, _ = train(plan_of(epochs=1, unfreeze=["head"], lr=1e-9), data, tmp_path / "none")
    assert torch.equal(weights_of(start, "backbone"), weights_of(fresh, "backbone"))
    assert not torch.equal(weights_of(start, "head"), weights_of(fresh, "head"))
    seen.rates.clear(), seen.epochs.clear()
    end, _ = train(
        plan_of(epochs=2, unfreeze=["head", "all"], unfreeze_lr=[1.0, 0.1], schedule="constant"),
        data,
        tmp_path / "two",
    )
    assert not torch.equal(weights_of(end, "backbone"), weights_of(fresh, "backbone"))
    by_epoch = {e: r["head"] for e, r in zip(seen.epochs, seen.rates, strict=True)}
    assert by_epoch == pytest.approx({0: 0.003, 1: 0.0003})


def test_an_unknown_part_is_refused(data: Cache, tmp_path: Path) -> None:
    """Before anything is trained."""
    with pytest.raises(ParamsError, match="layer5"):
        train(plan_of(unfreeze=["layer5"]), data, tmp_path / "kept")


def test_depth_gives_earlier_stages_smaller_rates(data: Cache, tmp_path: Path, seen: Seen) -> None:
    """Each at the same share of the next."""
    settings = {"schedule": "constant", "backbone_lr": 0.5, "depth_decay": 0.5, "epochs": 1}
    train(plan_of(**settings), data, tmp_path / "kept")
    rates = sorted(set(seen.rates[0].values()), reverse=True)
    assert rates[:2] == pytest.approx([0.003, 0.0015])
    assert rates[2:] == pytest.approx([0.0015 * 0.5**n for n in range(1, len(rates) - 1)])


def test_cached_features_train_the_same_head(data: Cache, tmp_path: Path, seen: Seen) -> None:
    """Without random changes: what is computed once is what would be computed in each epoch."""
    still = {"flip": 0, "rotate": 0, "scale": [1, 1], "translate": 0}
    still |= {"brightness": 0, "contrast": 0, "saturation": 0}
    settings: dict[str, Any] = {"unfreeze": ["head"], "changes": {"augment": still}}
    one, history = train(plan_of(**settings), data, tmp_path / "one")
    assert {size[1:] for size in seen.sizes} == {(22, 22, 1)}
    seen.sizes.clear()
    two, again = train(plan_of(**settings, cache_features=True), data, tmp_path / "two")
    assert set(seen.sizes) == {(0,)}, "pixels were read in vain"
    for name, value in one.items():
        assert torch.allclose(value, two[name], atol=1e-5), name
    for row, other in zip(history, again, strict=True):
        assert row == pytest.approx(other, rel=1e-3)


def test_features_give_way_to_images_when_the_backbone_opens(
    data: Cache, tmp_path: Path, seen: Seen
) -> None:
    """From the epoch on in which more than the head trains."""
    train(plan_of(epochs=2, unfreeze=["head", "all"], cache_features=True), data, tmp_path / "kept")
    assert [len(size) for size in seen.sizes] == [1] * 4 + [4] * 4


def test_the_average_is_what_is_kept(data: Cache, tmp_path: Path) -> None:
    """Validated and saved: smoother weights than those of the last step."""
    plain, _ = train(plan_of(), data, tmp_path / "plain")
    mean, history = train(plan_of(ema=0.95), data, tmp_path / "mean")
    assert not torch.equal(weights_of(plain, "head"), weights_of(mean, "head"))
    last = torch.load(tmp_path / "mean" / "last.ckpt", weights_only=True)
    name = "network.head.0.weight"
    assert not torch.equal(last["current_model_state"][name], last["state_dict"][name])
    assert history[-1]["val/accuracy"] > 0.9


def test_progressive_resizing_trains_on_smaller_images_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And validates on whole ones."""
    plan = plan_of(
        epochs=3,
        resize=[0.5, 0.75, 1.0],
        changes={
            "input": {**plan_of().input.model_dump(), "height": 64, "width": 64},
            "backbone": {"name": "resnet18", "weights": None},
        },
    )
    data = write_cache(tmp_path, 60, plan=plan)
    sides: list[tuple[bool, int]] = []

    def look(module: torch.nn.Module, images: tuple[torch.Tensor]) -> None:
        sides.append((module.training, images[0].shape[-1]))

    original = Classifier.setup

    def setup(self: Classifier, stage: str) -> None:
        self.network.backbone.register_forward_pre_hook(look)
        original(self, stage)

    monkeypatch.setattr(Classifier, "setup", setup)
    train(plan, data, tmp_path / "kept")
    assert [side for training, side in sides if training] == [32] * 2 + [48] * 2 + [64] * 2
    assert {side for training, side in sides if not training} == {64}


@pytest.mark.parametrize(
    "settings",
    [
        {"changes": {"augment": {"mixup": 0.4}}},
        {"changes": {"augment": {"cutmix": 1.0, "policy": "rand"}}},
        {"loss": "focal"},
        {"loss": "cross_entropy", "label_smoothing": 0.1},
        {"class_weights": {"car": 3.0}},
        {"sampler": "balanced"},
        {"precision": "bf16"},
        {"clip_norm": 0.0, "optimizer": "sgd", "lr": 0.05},
        {"changes": {"head": {"hidden": [64, 32], "dropout": 0.3}}, "epochs": 5},
    ],
    ids=str,
)
def test_it_learns_with(settings: dict[str, Any], data: Cache, tmp_path: Path) -> None:
    """Each of them changes the weights, and none keeps the task from being learnt."""
    plain, _ = train(plan_of(epochs=settings.get("epochs", 3)), data, tmp_path / "plain")
    weights, history = train(plan_of(**settings), data, tmp_path / "kept")
    assert max(row["val/accuracy"] for row in history) > 0.9
    assert not torch.equal(weights_of(plain, "backbone"), weights_of(weights, "backbone"))


def test_rare_classes_counted_twice_are_pointed_out(
    data: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A balanced sampler under class weights is a mistake more often than not."""
    train(plan_of(sampler="balanced", class_weights="balanced", epochs=1), data, tmp_path / "kept")
    assert "twice" in caplog.text


def test_best_is_by_validation(
    data: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of the epoch that validation liked, not the last ones."""
    original = Classifier.validation_step

    def worse(self: Classifier, batch: Any, index: int) -> None:
        original(self, batch, index)
        if self.current_epoch > 0:
            self.val_loss.update(torch.full((1000,), 9.0))

    monkeypatch.setattr(Classifier, "validation_step", worse)
    best, history = train(plan_of(), data, tmp_path / "kept")
    assert history[0]["val/loss"] < 1 < history[1]["val/loss"]
    last = torch.load(tmp_path / "kept" / "last.ckpt", weights_only=True)["state_dict"]
    assert not torch.equal(best["head.0.weight"], last["network.head.0.weight"])
    first, _ = train(plan_of(epochs=1, schedule="constant"), data, tmp_path / "first")
    again, _ = train(plan_of(epochs=2, schedule="constant"), data, tmp_path / "again")
    assert torch.equal(first["head.0.weight"], again["head.0.weight"])
