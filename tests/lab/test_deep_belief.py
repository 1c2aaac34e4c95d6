"""Restricted Boltzmann machines and the stack of them: reconstruction error falls, and a network starts from the stack."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from osler.lab.greedy_claims import after_pretraining
from osler.lab.plain_training import seeded
from osler.lab.small_sets import digits
from osler.models.registry import create_model
from osler.nn.boltzmann import RestrictedBoltzmannMachine


@pytest.mark.craft("FB15")
@pytest.mark.parametrize("steps", [1, 3])
def test_the_reconstruction_error_falls_under_contrastive_divergence(steps: int) -> None:
    rows = (digits(600).x + 1) / 2
    with seeded(0):
        machine = RestrictedBoltzmannMachine(nn.Linear(64, 32))
        nn.init.normal_(machine.layer.weight, 0, 0.01)
        nn.init.zeros_(machine.layer.bias)
        machine.start(rows)
        errors = [float(machine.reconstruction_error(rows))]
        optimizer = torch.optim.SGD(machine.parameters(), lr=0.1, momentum=0.8)
        for _ in range(12):
            for batch in rows[torch.randperm(len(rows))].split(20):
                optimizer.zero_grad()
                machine.contrastive_divergence(batch, steps).backward()
                optimizer.step()
            errors.append(float(machine.reconstruction_error(rows)))
    assert errors[-1] < 0.6 * errors[0]
    assert sum(after < before for before, after in pairwise(errors)) >= 10


@pytest.mark.craft("FB15")
def test_the_stack_starts_a_network_that_then_trains() -> None:
    found = after_pretraining("boltzmann", pretraining_epochs=15, epochs=8, seeds=(0,))
    assert after_pretraining("none", epochs=8, seeds=(0,)).mean < 0.2
    assert [layer.number for layer in found.logs] == [1, 2, 3, 4, 5]
    assert all(layer.errors[-1] < layer.errors[0] for layer in found.logs)
    assert found.mean > 0.85


@pytest.mark.craft("FB15")
def test_the_networks_layers_are_the_machines() -> None:
    data = digits(400)
    pictures = data.x.view(-1, 1, 8, 8)
    with seeded(0):
        model = create_model("deep_belief_network", num_classes=10, in_channels=1, widths=(32, 32), epochs=10, side=8)
        before = [layer.weight.detach().clone() for layer in model.layers]  # type: ignore[union-attr]
        model.initialise_from_data(pictures)  # type: ignore[operator]
    after = [layer.weight.detach().clone() for layer in model.layers]  # type: ignore[union-attr]
    assert all(float((a - b).norm()) > 0.1 * float(b.norm()) for a, b in zip(after, before, strict=True))
