"""`--try` keeps nothing and finds what a whole run would have found; `--overfit` says whether a network can learn at all."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from osler.structures.errors import OslerError, RecipeError
from osler.training.estimator_stage import fit_estimator
from osler.training.observer import Epoch
from osler.training.progress import ProgressBar
from osler.training.state import Training
from osler.verbs.preparing import Wishes
from osler.verbs.rehearsing import overfit, try_run
from tiny_runs import TINY, PlainNet, no_report, shade_arrays


def wishes(data: Any = None, model: Any = None, loss: Any = None, **values: Any) -> Wishes:
    kept = {k: v for k, v in TINY.items() if not (model is not None and k.startswith("model."))}
    return Wishes(values=kept | values, data=data, model=model, loss=loss)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, and another for what is temporary."""
    (tmp_path / "here").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path


def test_one_batch_goes_through_every_stage_and_nothing_is_kept(here: Path) -> None:
    result = try_run(wishes(**{"data.test": 0.1}))
    assert result.stages == ("data", "training", "validation", "checkpoint", "test", "report")
    assert 0 <= result.metrics["accuracy"] <= 1
    assert list((here / "here").iterdir()) == []
    assert list((here / "temporary").glob("osler*")) == []  # torch may put a cache of its own there


@pytest.mark.parametrize(
    ("name", "options"), [("svm", {}), ("neighbours", {"n_neighbors": 20}), ("logistic", {"max_iter": 5000})]
)
def test_an_estimator_is_rehearsed_as_well(
    here: Path, monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, Any]
) -> None:
    fitted: list[str] = []
    monkeypatch.setattr("osler.verbs.train.fit_estimator", _noting(fitted))
    with no_report():
        result = try_run(wishes(**{"data.test": 0.1, "estimator.name": name, "estimator.options": options}))
    assert result.stages == ("data", "training", "validation", "checkpoint", "estimator", "test", "report")
    assert fitted == [name]


def _noting(fitted: list[str]) -> Any:
    def fit_and_note(training: Training, **values: Any) -> Any:
        fitted.append(training.recipe.recipe.estimator.name)
        return fit_estimator(training, **values)

    return fit_and_note


def test_a_rehearsal_without_validation_does_not_claim_one(here: Path) -> None:
    with no_report():
        assert try_run(wishes(validation=0)).stages == ("data", "training", "checkpoint", "report")


def test_a_rehearsal_is_short_whatever_the_recipe_says(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    epochs: list[int] = []

    class Watch(ProgressBar):
        def epoch_ended(self, training: Training, epoch: Epoch) -> None:
            epochs.append(epoch.samples)

    monkeypatch.setattr("osler.verbs.train.ProgressBar", Watch)
    with no_report():
        try_run(wishes(epochs=5, batch_size=4))
        try_run(Wishes(overrides=["epochs=5", "folds=5"], values=TINY))
    assert epochs == [16, 16]


def test_what_a_run_would_refuse_is_refused_sooner(here: Path) -> None:
    for wrong in ({"monitor": "nonsense"}, {"optimizer": "adm"}, {"model.name": "resnet81"}, {"data": "nowhere"}):
        with pytest.raises(OslerError):
            try_run(Wishes(values=TINY | wrong))
    assert list((here / "here").iterdir()) == []
    assert list((here / "temporary").glob("osler*")) == []


def test_a_network_that_can_learn_knows_a_few_samples_by_heart(here: Path) -> None:
    result = overfit(wishes(lr=0.01, epochs=1), 8)
    assert result.learned
    assert (result.samples, result.metric, result.score) == (8, "accuracy", 1.0)
    assert result.last_loss < 0.1 * result.first_loss
    assert "by heart" in result.verdict
    assert list((here / "here").iterdir()) == []


def test_regularisation_and_augmentation_are_off_while_samples_are_learned(here: Path) -> None:
    burdened = wishes(
        lr=0.01, label_smoothing=0.4, mixup=1.0, augment="strong", weight_decay=10.0, ema=0.999, patience=1
    )
    assert overfit(burdened, 8).learned


def test_numbers_are_learned_by_their_loss(here: Path) -> None:
    images, classes = shade_arrays(40)
    result = overfit(wishes(data=(images, classes * 3.5), lr=0.01), 6)
    assert result.learned
    assert result.last_loss < 0.01 * result.first_loss


class Deaf(PlainNet):
    """Puts out something that does not depend on what is learned."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) * 0


def test_a_network_that_learns_nothing_is_said_to_learn_nothing(here: Path) -> None:
    result = overfit(wishes(model=Deaf(), optimizer="sgd"), 8)
    assert not result.learned
    assert "learned nothing" in result.verdict
    assert "labels" in result.verdict


def test_a_network_that_is_too_slow_is_said_to_be_so(here: Path) -> None:
    result = overfit(wishes(model=PlainNet(), optimizer="sgd", lr=0.002), 8)
    assert not result.learned
    assert "not enough" in result.verdict
    assert "higher learning rate" in result.verdict


def test_a_persons_loss_is_used_in_a_rehearsal(here: Path) -> None:
    def constant(outputs: Tensor, target: Tensor) -> Tensor:
        return outputs.sum() * 0 + 3.0

    assert overfit(wishes(loss=constant, **{"data.limit": 40}), 4).last_loss == 3.0


def test_a_module_with_the_wrong_head_is_refused(here: Path) -> None:
    with pytest.raises(RecipeError, match="puts out"):
        try_run(wishes(model=nn.Sequential(nn.Flatten(), nn.Linear(64, 3))))
