"""An estimator after a network: fitted on its features, used in the place of its last layer, the network left as it was."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import osler
from osler.classic.estimators import NAMES, build_estimator, fit
from osler.classic.head import EstimatorHead, load_estimator, raw_outputs, save_estimator
from osler.models.head import penultimate
from osler.structures.errors import CheckpointError, RecipeError, TrainingError
from osler.training.observer import Observer
from osler.training.state import Training
from osler.verbs.loading import answering_engine, load_trained
from osler.verbs.preparing import Wishes, prepare
from osler.verbs.run import Run
from tiny_runs import shade, shade_arrays, tiny_run, write_png

SMALL_FOREST = {"forest": {"n_estimators": 20}, "boosting": {"max_iter": 10, "min_samples_leaf": 3}}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same training without an estimator."""
    return tiny_run(tmp_path_factory.mktemp("estimator") / "plain", epochs=2)


def with_estimator(out: Path, name: str, **values: Any) -> Run:
    options = {"estimator.options": SMALL_FOREST.get(name, {})}
    return tiny_run(out, **({"estimator": name, "epochs": 2} | options | values))


@pytest.mark.parametrize("name", NAMES)
def test_every_estimator_takes_over_from_the_last_layer(tmp_path: Path, network: Run, name: str) -> None:
    run = with_estimator(tmp_path / "run", name)
    plain, fitted = (load_file(r.folder.best) for r in (network, run))
    assert all(torch.equal(plain[k], fitted[k]) for k in plain)  # the network's weights are what they were
    model = run.artefact().model
    assert isinstance(model, EstimatorHead)
    # what the run records is what the estimator says of the features, not what the network's own head says
    assert run.metrics["accuracy"] == run.evaluate().metrics["accuracy"] > 0.5
    assert run.metrics["accuracy"] != network.metrics["accuracy"]


def test_answers_come_from_the_estimator_on_the_networks_features(tmp_path: Path) -> None:
    run = with_estimator(tmp_path / "run", "logistic")
    picture = write_png(tmp_path / "0.png", shade(0, 120, size=8, channels=1))
    artefact = run.artefact()
    _, standardise = answering_engine(artefact, "cpu")
    image = torch.from_numpy(shade(0, 120, size=8, channels=1)).permute(2, 0, 1)[None]
    features = penultimate(artefact.model.network, standardise(image)).detach().numpy()
    expected = artefact.model.estimator.predict_proba(features)
    answer = run.predict(picture)[0]
    np.testing.assert_allclose(answer.prediction, expected[0], atol=1e-4)


def test_numbers_and_several_labels_have_an_estimator_for_each_output(tmp_path: Path) -> None:
    images, classes = shade_arrays(60)
    numbers = np.stack([classes * 2.0 + 0.5, 3.0 - classes], axis=1).astype(np.float32)
    run = with_estimator(tmp_path / "numbers", "neighbours", data=(images, numbers), **{"data.labels": "numbers"})
    assert run.metrics["mae"] < 0.3
    labels = np.stack([classes, 1 - classes], axis=1)
    run = with_estimator(tmp_path / "labels", "logistic", data=(images, labels), **{"data.labels": "labels"})
    assert run.metrics["f1"] > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_one_number_is_learnt_by_every_estimator(tmp_path: Path, name: str) -> None:
    images, classes = shade_arrays(60)
    data = (images, (classes * 2.0 + 0.5).astype(np.float32))
    run = with_estimator(tmp_path / "run", name, data=data)
    assert run.artefact().model(torch.zeros(3, 1, 8, 8)).shape == (3, 1)
    assert run.metrics["mae"] < 0.5  # of 0.5 and 2.5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("constant", [0, 1])
def test_a_label_that_never_varies_is_answered_by_its_constant(name: str, constant: int) -> None:
    features = np.random.default_rng(0).normal(size=(40, 3))
    targets = np.stack([features[:, 0] > 0, np.full(40, constant)], axis=1).astype(np.float32)
    estimator = build_estimator(name, "labels", SMALL_FOREST.get(name, {}), 0)
    fit(estimator, features, targets)
    said = raw_outputs(estimator, features, 2)
    assert ((said[:, 0] > 0) == targets[:, 0]).mean() > 0.8
    assert (said[:, 1] > 5).all() if constant else (said[:, 1] < -5).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seen", [[0, 2, 3], [1, 3], [2]])
def test_a_class_that_no_training_picture_has_moves_no_other(name: str, seen: list[int]) -> None:
    classes = np.resize(seen, 60)
    features = np.eye(4)[classes] * 6 + np.random.default_rng(0).normal(size=(60, 4))
    estimator = build_estimator(name, "class", SMALL_FOREST.get(name, {}), 0)
    fit(estimator, features, classes)
    said = raw_outputs(estimator, features, 5)
    assert said.shape == (60, 5)
    assert (said.argmax(1) == classes).mean() > 0.9
    odds = np.exp(said) / np.exp(said).sum(1, keepdims=True)
    assert odds[:, [c for c in range(5) if c not in seen]].max() < 1e-5


def test_more_neighbours_than_pictures_are_refused() -> None:
    estimator = build_estimator("neighbours", "class", {"n_neighbors": 7}, 0)
    with pytest.raises(RecipeError, match=r"n_neighbors=7, but there are 6 training pictures"):
        fit(estimator, np.eye(6), np.array([0, 1] * 3))


def test_features_that_no_estimator_can_learn_from_are_said() -> None:
    estimator = build_estimator("logistic", "class", {}, 0)
    features = np.eye(6)
    features[2, 3] = np.nan
    with pytest.raises(TrainingError, match=r"cannot learn from the network's features.*NaN"):
        fit(estimator, features, np.array([0, 1] * 3))


def test_any_seed_of_a_run_is_one_for_an_estimator() -> None:
    estimator = build_estimator("forest", "class", {"n_estimators": 2}, 2**40)
    fit(estimator, np.eye(6), np.array([0, 1] * 3))
    assert set(estimator.predict(np.eye(6))) <= {0, 1}


def test_two_classes_have_a_margin_each(tmp_path: Path) -> None:
    run = with_estimator(tmp_path / "run", "svm", data=shade_arrays(60))
    assert run.metrics["accuracy"] == 1.0
    with torch.inference_mode():
        outputs = run.artefact().model(torch.zeros(3, 1, 8, 8))
    assert outputs.shape == (3, 2)
    torch.testing.assert_close(outputs[:, 0], -outputs[:, 1])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"estimator": "svn"}, "svm"),
        ({"estimator": "svm", "estimator.options": {"c": 1}}, "Allowed: C"),
        ({"estimator": "svm", "estimator.options": {"C": "much"}}, "'C'"),
        ({"estimator": "forest", "estimator.options": {"n_estimators": 0}}, "'n_estimators'"),
    ],
)
def test_what_no_estimator_can_be_is_said_before_the_network_is_trained(
    tmp_path: Path, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(RecipeError, match=says):
        tiny_run(tmp_path / "run", **values)
    assert not (tmp_path / "run").exists()


def test_an_estimator_file_with_strange_types_is_refused(tmp_path: Path) -> None:
    strange = build_estimator("neighbours", "class", {}, 0).fit(np.eye(6), [0, 1] * 3)
    save_estimator(strange, tmp_path / "good.skops")
    load_estimator(tmp_path / "good.skops")
    strange.planted = Path(tmp_path)
    save_estimator(strange, tmp_path / "bad.skops")
    with pytest.raises(CheckpointError, match=r"bad\.skops holds types that are not scikit-learn's"):
        load_estimator(tmp_path / "bad.skops")
    content = (tmp_path / "good.skops").read_bytes()
    (tmp_path / "short.skops").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"short\.skops"):
        load_estimator(tmp_path / "short.skops")


def test_a_run_with_an_estimator_reports_it(tmp_path: Path) -> None:
    run = with_estimator(tmp_path / "run", "svm", data=shade_arrays(40), report=True)
    assert "svm on" in run.report.read_text(encoding="utf-8")
    assert osler.evaluate(run.path, data=shade_arrays(40)).metrics["accuracy"] == run.metrics["accuracy"] == 1.0


class WorsensAtTheEnd(Observer):
    """Makes the network forget what it learned once its second epoch is over: the best weights are not the last."""

    def batch_done(self, training: Training) -> None:
        if training.position.epoch == 1:
            with torch.no_grad():
                for parameter in training.model.parameters():
                    parameter.normal_(generator=torch.Generator().manual_seed(training.position.update))


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_it_is_fitted_on_the_features_of_the_best_weights(tmp_path: Path, ema: float) -> None:
    values = {"data": shade_arrays(80), "batch_size": 4, "lr": 0.01, "train.ema": ema}
    run = with_estimator(tmp_path / "run", "logistic", observers=[WorsensAtTheEnd()], **values)
    assert [row["best"] for row in run.history] == [1, 0]
    training, head = prepare(Wishes(data=shade_arrays(80), kept=run.recipe)).training, load_trained(run.path).model
    pictures = torch.cat([batch.images for batch in training.train_loader.epoch(0)])
    features = penultimate(head.network, training.standardise(pictures)).detach().numpy()
    scaler = head.estimator[0]  # the estimator's own record of what it was fitted on
    np.testing.assert_allclose(scaler.mean_, features.mean(axis=0), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(scaler.var_, features.var(axis=0), rtol=1e-3, atol=1e-5)
