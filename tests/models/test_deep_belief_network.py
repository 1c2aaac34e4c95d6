"""Networks that pretrain their layers on pictures without labels, then learn like any other."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from osler.lab.small_sets import digits
from osler.models.data_initialisation import NeedsData
from osler.models.registry import create_model
from osler.structures.errors import RecipeError
from osler.verbs.run import Run
from tiny_runs import tiny_run

BOTH = pytest.mark.parametrize("name", ["deep_belief_network", "stacked_autoencoder"])


def small(name: str, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return create_model(name, num_classes=10, in_channels=1, widths=(24, 16), side=8, **{"epochs": 8, **options})


def standardised_digits(count: int = 300) -> Tensor:
    pictures = digits(count).x.view(-1, 1, 8, 8)
    return (pictures - pictures.mean()) / pictures.std()


def test_layers_are_those_of_the_papers() -> None:
    """Hinton and Salakhutdinov 2006: 784-500-500-2000-10."""
    model = create_model("deep_belief_network", num_classes=10, in_channels=1)
    assert [m.in_features for m in model.modules() if isinstance(m, nn.Linear)] == [784, 500, 500, 2000]
    assert sum(p.numel() for p in model.parameters()) == 785 * 500 + 501 * 500 + 501 * 2000 + 2001 * 10 == 1_665_010
    assert all(isinstance(act, nn.Sigmoid) for act in model.acts)


@BOTH
def test_hidden_layers_learn_to_reconstruct_and_the_head_stays(name: str) -> None:
    model, pictures = small(name, epochs=30), standardised_digits(600)
    assert isinstance(model, NeedsData)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.initialise_from_data(pictures)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]) == key.startswith("head"), key
    first, second = model.pretraining
    assert (first.inputs, first.outputs, second.inputs, second.outputs) == (64, 24, 24, 16)
    for layer in model.pretraining:
        assert len(layer.errors) == 30
        assert layer.errors[-1] < layer.errors[0]
    unit = (pictures - pictures.min()) / (pictures.max() - pictures.min())
    assert first.errors[-1] < 0.7 * float(unit.flatten(1).var(0).mean())  # of what knowing each pixel's mean leaves


@BOTH
def test_codes_of_standardised_pictures_tell_the_picture(name: str) -> None:
    """The first layer was trained on pixels in [0, 1]; what it does now is in units of standardised pictures."""
    model, pictures = small(name, epochs=30), standardised_digits(600)
    model.initialise_from_data(pictures)
    low, span = pictures.min(), pictures.max() - pictures.min()
    weight = model.hidden[0].weight.detach() * span  # as the machine knew it
    with torch.no_grad():
        code = torch.sigmoid(model.hidden[0](pictures.flatten(1)))
    decoded = code @ weight
    rows = (pictures.flatten(1) - low) / span
    likeness = torch.corrcoef(torch.stack([(decoded - decoded.mean(0)).flatten(), (rows - rows.mean(0)).flatten()]))
    assert float(likeness[0, 1]) > 0.7


def test_gaussian_visible_units_learn_as_well() -> None:
    model = small("deep_belief_network", visible="gaussian", epochs=30, lr=1.0)
    pictures = standardised_digits(600)
    model.initialise_from_data(pictures)
    first = model.pretraining[0].errors
    assert first[-1] < first[0]
    assert first[-1] < 0.9 * float(pictures.flatten(1).var(0).mean())


def test_more_steps_and_other_rates_give_other_weights() -> None:
    def weights(**options: object) -> Tensor:
        model = small("deep_belief_network", **options)
        torch.manual_seed(1)
        model.initialise_from_data(standardised_digits(100))
        return model.hidden[0].weight.detach()

    plain = weights()
    assert torch.equal(weights(), plain)
    assert not torch.equal(weights(steps=3), plain)
    assert not torch.equal(weights(lr=0.05), plain)
    noisy, clean = (small("stacked_autoencoder", corruption=c) for c in (0.5, 0.0))
    for model in (noisy, clean):
        torch.manual_seed(1)
        model.initialise_from_data(standardised_digits(100))
    assert not torch.equal(noisy.hidden[0].weight, clean.hidden[0].weight)


@BOTH
def test_no_epochs_leave_the_layers_alone(name: str) -> None:
    model = small(name, epochs=0)
    before = model.hidden[0].weight.clone()
    model.initialise_from_data(standardised_digits(20))
    assert torch.equal(model.hidden[0].weight, before)
    with pytest.raises(RecipeError, match="epochs=-1"):
        small(name, epochs=-1)


def test_pictures_of_one_colour_do_no_harm() -> None:
    model = small("deep_belief_network")
    model.initialise_from_data(torch.zeros(30, 1, 8, 8))
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Run]:
    """The same five-layer recipe with and without pretraining, on all digits."""
    folder, found = tmp_path_factory.mktemp("dbn"), {}
    for epochs in (0, 40):
        options = {"widths": [48, 48, 48, 48], "side": 8, "epochs": epochs}
        found[epochs] = tiny_run(
            folder / str(epochs),
            **{"model.name": "deep_belief_network", "model.options": options, "data.limit": 1000, "epochs": 20},
        )
    return found


@pytest.mark.craft("FB14")
def test_a_recipe_pretrains_and_fine_tunes(runs: dict[int, Run]) -> None:
    assert runs[40].metrics["accuracy"] > 0.85
    assert runs[0].metrics["accuracy"] < 0.3


def test_a_trained_one_answers_from_its_file(runs: dict[int, Run], tmp_path: Path) -> None:
    assert len(runs[40].artefact().model.hidden) == 4
    network = {"model.name": "deep_belief_network", "model.options": {"widths": [48, 48, 48, 48], "side": 8}}
    again = tiny_run(tmp_path / "again", **network, **{"model.weights": str(runs[40].path), "data.limit": 200})
    assert again.metrics["accuracy"] > 0.6  # no pretraining over weights that were read
