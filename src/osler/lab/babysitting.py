"""Babysitting a training (row OP23): loss, accuracy, update-to-weight ratios, dead units, gradient norm on a page."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import nn

from osler.lab.digits_halves import digits_halves
from osler.lab.small_training import accuracy, batches, mlp
from osler.training.optimizer import build_optimizer
from osler.training.section import TrainSection
from osler.vitals.step_vitals import StepVitals, StepWatch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEALTHY_RATIO = (1e-4, 1e-2)  # around the rule of thumb of one in a thousand


@dataclass(slots=True)
class Dashboard:
    """What was seen at each update, and the accuracy at the end of each epoch."""

    losses: list[float] = field(default_factory=list)
    vitals: list[StepVitals] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)

    def draw(self) -> "Figure":
        """Five panels on one page."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(14, 7), layout="constrained")
        loss, right, ratio, dead, norm, nothing = figure.subplots(2, 3).flat
        nothing.set_visible(False)
        loss.plot(self.losses)
        loss.set(title="Loss", xlabel="update")
        right.plot(range(1, len(self.accuracies) + 1), self.accuracies, marker="o")
        right.set(title="Accuracy on the test half", xlabel="epoch", ylim=(0, 1))
        for name in self.vitals[0].update_ratios:
            ratio.plot([v.update_ratios[name] for v in self.vitals], label=name)
        ratio.axhspan(*HEALTHY_RATIO, color="0.9")
        ratio.set(title="Update over weight", xlabel="update", yscale="log")
        ratio.legend()
        for name in self.vitals[0].dead_units:
            dead.plot([v.dead_units[name] for v in self.vitals], label=name)
        dead.set(title="Share of dead units", xlabel="update", ylim=(0, 1))
        dead.legend()
        norm.plot([v.gradient_norm for v in self.vitals])
        norm.set(title="Gradient norm", xlabel="update", yscale="log")
        return figure


def babysit(section: TrainSection, *, network: nn.Module | None = None, seed: int = 0) -> Dashboard:
    """Trains on the digits by a `train` section of constant learning rate and measures every update."""
    data, network = digits_halves(), network or mlp(layers=2)
    size = 32 if section.batch_size == "auto" else section.batch_size
    optimizer = build_optimizer(section, network, batch_size=size)
    generator, dashboard = torch.Generator().manual_seed(seed), Dashboard()
    with StepWatch(network, optimizer) as watch:
        for _ in range(section.epochs):
            for chosen in batches(len(data.inputs), size, generator):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(network(data.inputs[chosen]), data.labels[chosen])
                loss.backward()
                optimizer.step()
                dashboard.losses.append(loss.item())
                dashboard.vitals.append(watch.read())
            dashboard.accuracies.append(accuracy(network, data.test_inputs, data.test_labels))
    return dashboard
