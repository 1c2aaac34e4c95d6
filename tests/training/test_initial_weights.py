"""`model.initialisation` in a recipe."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from osler.models.data_initialisation import NeedsData
from osler.models.recipe import ModelSection
from osler.structures.errors import RecipeError, UnknownNameError
from osler.training.initial_weights import start_weights
from tiny_runs import PlainNet, tiny_preparation, tiny_run


def weights(**values: object) -> dict[str, Tensor]:
    model = tiny_preparation(**values).training.model
    return {k: p.detach() for k, p in model.named_parameters() if p.ndim > 1}


def test_a_recipe_names_the_start() -> None:
    start = weights(**{"model.initialisation": "uniform", "model.initialisation_options": {"low": 0.5, "high": 0.6}})
    assert all(((w >= 0.5) & (w <= 0.6)).all() for w in start.values())


def test_auto_keeps_the_networks_own() -> None:
    own, again = weights(), weights(**{"model.initialisation": "auto"})
    assert all(torch.equal(own[k], again[k]) for k in own)
    other = weights(**{"model.initialisation": "he_normal"})
    assert not any(torch.equal(own[k], other[k]) for k in own)


def test_lsuv_sees_training_pictures() -> None:
    prepared = tiny_preparation(**{"model.initialisation": "lsuv", "model.initialisation_options": {"tolerance": 0.05}})
    training = prepared.training
    model, seen = training.model, []
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(lambda _m, _i, out: seen.append(float(out.detach().var())))
    pictures = torch.from_numpy(np.stack([prepared.source.train[i].image for i in range(64)])).permute(0, 3, 1, 2)
    model.train()(training.standardise(pictures))
    assert len(seen) == 3
    assert seen == pytest.approx([1.0] * 3, abs=0.25)


def test_a_run_says_what_a_start_does(tmp_path: Path) -> None:
    prepared = tiny_preparation(**{"model.initialisation": "zeros"})
    assert any("copies of one another" in note for note in prepared.training.notes)
    run = tiny_run(tmp_path / "run", **{"model.initialisation": "orthogonal"})
    assert "initialisation: orthogonal" in (run.path / "recipe.yaml").read_text()


def test_a_module_passed_in_python_is_started_by_name() -> None:
    torch.manual_seed(5)
    module = PlainNet()
    before = module.hidden.weight.clone()
    tiny_preparation(model=module)
    assert torch.equal(module.hidden.weight, before)
    tiny_preparation(model=module, **{"model.initialisation": "zeros"})
    assert not module.hidden.weight.any()


class Measured(nn.Module):
    """Notes what its weight is when it is shown pictures, and how many."""

    initialisation_pictures = 7

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def initialise_from_data(self, images: Tensor) -> None:
        self.seen = self.layer.weight.detach().clone(), len(images)
        with torch.no_grad():
            self.layer.weight.mul_(5)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


def test_what_a_network_measures_goes_on_from_the_named_start_and_lsuv_measures_last() -> None:
    model = Measured()
    assert isinstance(model, NeedsData)
    section = ModelSection(name="x", weights="none", initialisation="lsuv")
    assert start_weights(model, section, lambda n: torch.randn(n, 4)) == []
    weight, count = model.seen
    assert count == 7
    torch.testing.assert_close(weight @ weight.T, torch.eye(4), atol=1e-5, rtol=0)  # orthogonal before
    answers = model(torch.randn(2000, 4)).detach()
    assert float(answers.var()) == pytest.approx(1.0, abs=0.2)  # and of unit variance after


def test_mistakes_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'xavier_normal'"):
        tiny_preparation(**{"model.initialisation": "xavier_norml"})
    with pytest.raises(RecipeError, match="no option 'sdt'"):
        tiny_preparation(**{"model.initialisation": "normal", "model.initialisation_options": {"sdt": 1}})
    with pytest.raises(RecipeError, match="set model.initialisation as well"):
        tiny_preparation(**{"model.initialisation_options": {"std": 1}})
    run = tiny_run(tmp_path / "run")
    with pytest.raises(RecipeError, match="would overwrite model.weights"):
        tiny_preparation(**{"model.weights": str(run.path), "model.initialisation": "he_normal"})
