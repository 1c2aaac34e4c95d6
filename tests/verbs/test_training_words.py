"""Every word of a training does what it says: stopping, averaging, weighting, mixing, accumulating, starting from weights."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import osler
from osler.structures.errors import OslerError, RecipeError
from osler.training.checkpoint import read_checkpoint
from osler.training.observer import Observer
from osler.training.state import Training
from osler.verbs.run import Run
from tiny_runs import (
    TINY,
    PlainNet,
    Shades,
    assert_same_weights,
    no_report,
    shade_arrays,
    tiny_preparation,
    tiny_run,
    train_losses,
    weights_of,
)


@pytest.fixture(scope="module")
def overfitted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Digits of which half the labels are noise: the validation loss falls, then rises."""
    images, labels = shade_arrays(64)
    labels = np.where(np.random.default_rng(0).random(64) < 0.3, 1 - labels, labels)
    data = {"train": (images, labels), "validation": shade_arrays(32, seed=5)}
    return tiny_run(
        tmp_path_factory.mktemp("overfitted") / "run",
        data=data, epochs=60, patience=4, lr=0.01, monitor="loss", schedule="constant", optimizer="adamw",
    )  # fmt: skip


@pytest.mark.craft("RE03", "WF07")
def test_a_run_stops_within_patience_and_ships_the_weights_that_validated_best(overfitted: Run) -> None:
    history = overfitted.history
    losses = [row["validation.loss"] for row in history]
    best = int(np.argmin(losses)) + 1
    assert 1 < best < len(history) < 60  # before the guard of the last epoch
    assert len(history) == best + 4  # patience
    assert [row["best"] for row in history][-4:] == [0, 0, 0, 0]
    assert losses[-1] > losses[best - 1]
    artefact = overfitted.artefact()
    assert artefact.facts["epoch"] == best
    again = osler.evaluate(overfitted.path, data=shade_arrays(32, seed=5))
    assert again.metrics["loss"] == pytest.approx(min(losses), rel=1e-5)  # computed again from the stored weights
    assert again.metrics["loss"] != pytest.approx(losses[-1], rel=1e-3)
    assert overfitted.metrics["loss"] == pytest.approx(min(losses), rel=1e-5)
    last = read_checkpoint(overfitted.folder.last)["state"]["model"]
    assert any(not torch.equal(v, last[k]) for k, v in weights_of(artefact.model).items())


@pytest.mark.craft("WF07")
def test_the_update_and_the_reason_of_a_stop_are_on_the_record_and_epochs_guard(
    overfitted: Run, tmp_path: Path
) -> None:
    store = overfitted.folder.store()
    assert [text for _, kind, text in store.events() if kind == "stopped"] == ["loss has not improved for 4 epochs"]
    assert store.updates("train.loss")[0][-1] == overfitted.history[-1]["updates"]
    store.close()
    guarded = tiny_run(tmp_path / "run", epochs=3, patience=50)
    assert len(guarded.history) == 3


def test_a_monitor_that_is_no_metric_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"train.monitor=acuracy is no metric.*accuracy"):
        tiny_run(tmp_path / "run", monitor="acuracy")
    assert not (tmp_path / "run").exists()


def test_the_moving_average_is_what_validates_and_ships(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", ema=0.9, epochs=3, lr=0.05)
    state = read_checkpoint(run.folder.last)["state"]
    shipped = weights_of(run.artefact().model)
    if run.artefact().facts["epoch"] == 3:
        assert_same_weights(shipped, state["average"]["model"])
    assert not torch.equal(shipped["head.weight"], state["model"]["head.weight"])
    assert run.metrics["loss"] == pytest.approx(
        next(r["validation.loss"] for r in run.history if r["epoch"] == run.artefact().facts["epoch"]), rel=1e-4
    )


def test_label_smoothing_bounds_the_training_loss_and_leaves_the_validation_plain(tmp_path: Path) -> None:
    smoothing, epochs = 0.5, 12
    data = {"train": shade_arrays(64), "validation": shade_arrays(32, seed=1)}
    smooth = tiny_run(tmp_path / "smooth", data=data, label_smoothing=smoothing, epochs=epochs, lr=0.02)
    plain = tiny_run(tmp_path / "plain", data=data, epochs=epochs, lr=0.02)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))  # of the targets 1 - s/2 and s/2
    assert min(train_losses(smooth)) >= entropy - 1e-6
    assert train_losses(smooth)[-1] == pytest.approx(entropy, abs=0.05)
    assert train_losses(plain)[-1] < 0.1
    assert smooth.metrics["loss"] == pytest.approx(-math.log(0.75), abs=0.08)  # it learned to be 75 % sure


def test_balanced_class_weights_are_inverse_to_the_frequencies(tmp_path: Path) -> None:
    images, _ = shade_arrays(80)
    labels = np.array([0] * 60 + [1] * 20)
    data = {"train": (images, labels), "validation": shade_arrays(20, seed=1)}
    run = tiny_run(tmp_path / "run", data=data, class_weights="balanced")
    first, second = run.artefact().task.facts()["class_weights"]
    assert second / first == pytest.approx(3.0)


def test_the_balanced_sampler_draws_every_class_equally_often() -> None:
    images, _ = shade_arrays(200)
    labels = np.array([0] * 180 + [1] * 20)
    drawn = {}
    for sampler in ("balanced", "shuffle"):
        data = {"train": (images, labels), "validation": shade_arrays(20, seed=1)}
        loader = tiny_preparation(data=data, sampler=sampler, **{"data.limit": 0}).training.train_loader
        drawn[sampler] = float(torch.cat([b.target for b in loader.epoch(0)]).float().mean())
    assert drawn["shuffle"] == pytest.approx(0.1)
    assert drawn["balanced"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixed_pictures_have_mixed_labels_that_add_up(name: str, tmp_path: Path) -> None:
    training = tiny_preparation(**{name: 1.0}).training
    batch = training.prepare(next(iter(training.train_loader.epoch(0))))
    (mix,) = training.batch_transforms
    mixed = mix(batch, training.generator(0))
    assert mixed.target.shape == (len(batch), 10)
    torch.testing.assert_close(mixed.target.sum(1), torch.ones(len(batch)))
    assert (mixed.target.max(1).values < 1).any()
    assert not torch.equal(mixed.images, batch.images)
    with_it = tiny_run(tmp_path / "with", **{name: 1.0})
    without = tiny_run(tmp_path / "without")
    assert train_losses(with_it) != train_losses(without)
    assert with_it.metrics["accuracy"] > 0  # and validation is on whole pictures with whole labels


def test_accumulated_batches_are_one_larger_batch(tmp_path: Path) -> None:
    finals = []
    for batch_size, accumulate in ((32, 1), (8, 4)):
        torch.manual_seed(0)
        model = PlainNet()
        run = tiny_run(
            tmp_path / str(batch_size), model=model, epochs=3, batch_size=batch_size, accumulate=accumulate,
            optimizer="momentum", lr=0.05, **{"data.limit": 80},
        )  # fmt: skip
        finals.append((weights_of(model), train_losses(run), run.history[-1]["updates"]))
    (large, large_losses, large_updates), (small, small_losses, small_updates) = finals
    assert large_updates == small_updates == 9  # 32 + 32 + 16, three times
    assert small_losses == pytest.approx(large_losses, rel=1e-5)
    for name, value in large.items():
        torch.testing.assert_close(small[name], value, atol=1e-6, rtol=1e-4)


class LargestGradient(Observer):
    """Of the gradients that the optimiser was given."""

    def __init__(self) -> None:
        self.norms: list[float] = []
        self.values: list[float] = []

    def batch_done(self, training: Training) -> None:
        gradients = torch.cat([p.grad.flatten() for p in training.trainable() if p.grad is not None])
        self.norms.append(float(gradients.norm()))
        self.values.append(float(gradients.abs().max()))


def test_gradients_are_clipped_by_norm_and_by_value(tmp_path: Path) -> None:
    seen = {}
    for name, values in {"free": {}, "norm": {"clip_norm": 0.01}, "value": {"clip_value": 0.001}}.items():
        seen[name] = LargestGradient()
        tiny_run(tmp_path / name, observers=[seen[name]], **values)
    assert min(seen["free"].norms) > 0.01
    assert max(seen["norm"].norms) == pytest.approx(0.01, rel=1e-4)
    assert max(seen["value"].values) == pytest.approx(0.001)


def test_lbfgs_learns_in_a_few_updates_what_takes_gradient_descent_many(tmp_path: Path) -> None:
    losses = {}
    for optimizer in ("lbfgs", "sgd"):
        torch.manual_seed(0)
        options = {"batch_size": 80, "schedule": "constant", "optimizer": optimizer, "epochs": 3}
        run = tiny_run(tmp_path / optimizer, model=PlainNet(), **options, **{"data.limit": 80})
        losses[optimizer] = train_losses(run)
    assert losses["lbfgs"][0] == pytest.approx(losses["sgd"][0])  # the loss before the first update
    assert losses["lbfgs"][2] < 0.1 * losses["sgd"][2]


def test_the_learning_rate_falls_on_a_plateau(tmp_path: Path) -> None:
    options = {"patience": 0, "factor": 0.1, "threshold": 100, "threshold_mode": "abs"}  # nothing improves by so much
    run = tiny_run(tmp_path / "run", epochs=3, lr=0.01, schedule="plateau", schedule_options=options)
    assert [row["lr"] for row in run.history] == pytest.approx([0.01, 0.01, 0.001])


def test_cross_validation_validates_every_fold_once_and_tells_mean_and_spread(tmp_path: Path) -> None:
    with no_report():
        result = osler.cross_validate(out=tmp_path / "folds", quiet=True, **(TINY | {"folds": 3}))
    assert [run.path.name for run in result.runs] == ["fold-1", "fold-2", "fold-3"]
    assert [run.recipe.recipe.data.fold for run in result.runs] == [0, 1, 2]
    scores = [run.facts()["validation"]["accuracy"] for run in result.runs]
    assert result.means["accuracy"] == pytest.approx(np.mean(scores))
    assert result.spreads["accuracy"] == pytest.approx(np.std(scores, ddof=1))
    kept = json.loads((tmp_path / "folds" / "folds.json").read_text())
    assert kept["mean"] == result.means
    assert len(kept["folds"]) == 3


def test_cross_validation_without_folds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="data.folds"):
        osler.cross_validate(out=tmp_path / "folds", quiet=True)
    assert not (tmp_path / "folds").exists()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A trained run to start from."""
    return tiny_run(tmp_path_factory.mktemp("first") / "run", epochs=2, lr=0.01)


def test_a_run_may_start_from_anothers_weights_and_its_way_of_seeing(tmp_path: Path, first: Run) -> None:
    run = tiny_run(tmp_path / "run", weights=first.path, lr=1e-12, **{"model.name": "auto", "model.options": {}})
    before, after = (weights_of(r.artefact().model) for r in (first, run))
    for name, value in before.items():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            torch.testing.assert_close(after[name], value, atol=1e-6, rtol=0)
    assert run.artefact().preprocessing == first.artefact().preprocessing
    assert run.recipe.recipe.model.options == first.recipe.recipe.model.options
    assert {run.recipe.origin(f"model.{k}").who for k in ("name", "options", "size", "standardise")} == {"weights"}


def test_other_classes_start_with_a_new_head_on_the_old_body(tmp_path: Path, first: Run) -> None:
    values = {"model.name": "auto", "model.options": {}}
    run = tiny_run(tmp_path / "run", data=shade_arrays(40), weights=str(first.path), lr=1e-12, **values)
    before, after = (weights_of(r.artefact().model) for r in (first, run))
    assert after["head.weight"].shape[0] == 2
    torch.testing.assert_close(after["stages.0.0.conv.weight"], before["stages.0.0.conv.weight"], atol=1e-6, rtol=0)


def test_weights_that_are_not_there_are_said(tmp_path: Path) -> None:
    with pytest.raises(OslerError, match="no weights at"):
        tiny_run(tmp_path / "run", weights=tmp_path / "nothing")


def test_a_mirrored_answer_is_the_mean_over_both_sides(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", **{"model.mirror": True})
    artefact = run.artefact()
    assert artefact.preprocessing.mirror
    pictures = torch.randn(3, 1, 8, 8)
    with torch.inference_mode():
        inner = artefact.model.network
        expected = (inner(pictures) + inner(pictures.flip(3))) / 2
        assert torch.equal(artefact.model(pictures), expected)
    assert run.evaluate().metrics["accuracy"] == run.metrics["accuracy"] == run.history[0]["validation.accuracy"]


class Counted(Shades):
    """Counts how often each of its pictures is asked for."""

    def __init__(self, count: int, seed: int) -> None:
        super().__init__(count, seed)
        self.reads: list[int] = []

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        self.reads.append(index)
        return super().__getitem__(index)


def test_the_test_set_is_looked_at_once_at_the_end(tmp_path: Path) -> None:
    test = Counted(12, seed=9)

    class Watch(Observer):
        at_start = at_stop = -1

        def started(self, training: Training) -> None:
            self.at_start = len(test.reads)

        def stopped(self, training: Training) -> None:
            self.at_stop = len(test.reads)

    watch = Watch()
    data = {"train": Shades(40), "validation": Shades(20, seed=3), "test": test}
    run = tiny_run(tmp_path / "run", data=data, epochs=3, observers=[watch], report=True)
    assert watch.at_start == watch.at_stop  # no epoch saw it
    assert sorted(test.reads[watch.at_stop :]) == list(range(12))
    assert run.facts()["test"]["accuracy"] == run.metrics["accuracy"]


def test_without_a_validation_set_the_last_weights_ship(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", epochs=2, **{"data.validation": 0.0})
    assert run.artefact().facts["epoch"] == 2
    last = read_checkpoint(run.folder.last)["state"]["model"]
    assert_same_weights(weights_of(run.artefact().model), last)


def test_a_folder_that_holds_a_run_is_refused_before_the_training(tmp_path: Path, first: Run) -> None:
    before = first.folder.best.read_bytes()
    with pytest.raises(OslerError, match="holds a run already"):
        tiny_run(first.path)
    assert first.folder.best.read_bytes() == before


@pytest.mark.craft("WF01")
def test_one_command_builds_prepares_trains_shows_and_tests_and_keeps_all_five(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", report=True, **{"data.test": 0.1})
    recipe = run.recipe.recipe
    assert recipe.model.name == "convnet"  # build
    assert run.artefact().architecture["name"] == "convnet"
    assert recipe.model.standardise == recipe.model.standardise.__class__(  # preprocess
        mean=run.artefact().preprocessing.mean, std=run.artefact().preprocessing.std
    )
    assert train_losses(run)[0] > 0  # train
    assert run.folder.last.exists()
    page = run.report.read_text(encoding="utf-8")  # visualise
    assert "<img" in page
    assert sorted((run.path / "figures").glob("*.png"))
    assert 0 <= run.facts()["test"]["accuracy"] <= 1  # test
