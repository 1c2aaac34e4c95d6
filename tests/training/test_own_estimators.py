"""A network with estimators of its own: fitted after the gradient's stage, saved with the weights, used by every verb."""

from pathlib import Path

import pytest
import torch

from osler.data.assembling import assemble
from osler.data.objects.digits_in_the_wild import read_digits_in_the_wild
from osler.data.recipe import DataSection
from osler.data.source import DataSource
from osler.imaging.encode import write_image
from osler.models.detection.rcnn import RegionsOneByOne
from osler.training.artefact import load_artefact
from osler.training.estimator_stage import fit_own_estimators
from osler.verbs.evaluate import evaluate
from osler.verbs.loading import load_trained
from osler.verbs.predict import predict
from osler.verbs.run import Run
from tiny_runs import tiny_preparation, tiny_run

OPTIONS = {"backbone": {"name": "convnet", "options": {"widths": [8, 16], "depth": 1}}, "side": 24, "most": 30}
RCNN = {"model.name": "rcnn_light", "model.options": OPTIONS, "model.size": 96, "batch_size": 4}


def source() -> DataSource:
    """A few pictures with digits."""
    return assemble(read_digits_in_the_wild(side=96, counts={"train": 8, "validation": 3, "test": 3}), DataSection(), 0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """R-CNN after one epoch."""
    return tiny_run(tmp_path_factory.mktemp("own") / "run", data=source(), **RCNN)


def test_they_are_saved_with_the_best_weights(run: Run) -> None:
    saved = load_trained(run.path)
    model = saved.model
    assert isinstance(model, RegionsOneByOne)
    assert model.estimators.fitted
    assert model.estimators.svm_weight.any()
    assert saved.facts["epoch"] == 1
    torch.testing.assert_close(model.proposals.mean, torch.tensor(saved.preprocessing.mean))


def test_evaluation_and_prediction_use_them(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = source()
    assert evaluate(run.path, data=data, split="test", device="cpu").metrics == pytest.approx(run.metrics)
    write_image(tmp_path / "picture.png", data.train[0].image)
    asked: list[int] = []
    margins = type(load_trained(run.path).model.estimators).margins
    monkeypatch.setattr(
        "osler.models.detection.region_estimators.RegionEstimators.margins",
        lambda self, features: asked.append(len(features)) or margins(self, features),
    )
    assert len(predict(run.path, tmp_path / "picture.png", device="cpu")) == 1
    assert sum(asked) > 0


def test_a_network_without_them_is_left_alone(tmp_path: Path) -> None:
    prepared = tiny_preparation()
    before = {name: value.clone() for name, value in prepared.training.model.state_dict().items()}

    class NoFolder:
        """A run whose files nobody may ask for."""

    fit_own_estimators(prepared.training, artefact=prepared.artefact, folder=NoFolder())  # type: ignore[arg-type]
    assert all(torch.equal(value, before[name]) for name, value in prepared.training.model.state_dict().items())


def test_the_last_checkpoint_is_of_the_gradients_stage(run: Run) -> None:
    """Going on with the run goes on with the network: what was fitted on it is fitted anew."""
    content = torch.load(run.folder.last, weights_only=True)
    assert not content["state"]["model"]["estimators.fitted"]
    assert load_artefact(run.folder.best).model.estimators.fitted
