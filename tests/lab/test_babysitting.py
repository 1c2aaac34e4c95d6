"""The dashboard of a training."""

from io import BytesIO

import pytest
import torch

from osler.lab.babysitting import babysit
from osler.lab.small_training import mlp
from osler.training.section import TrainSection


@pytest.mark.craft("OP23")
def test_the_dashboard_shows_all_five_of_a_healthy_training() -> None:
    seen = babysit(TrainSection(optimizer="adam", lr=0.003, epochs=2, batch_size=64))
    assert len(seen.losses) == len(seen.vitals) == 2 * 15
    assert len(seen.accuracies) == 2
    assert seen.losses[-1] < seen.losses[0]
    last = seen.vitals[-1]
    assert 0.001 < last.update_ratios["0.weight"] < 0.1
    assert max(last.dead_units.values()) < 0.3
    figure = seen.draw()
    titles = [a.get_title() for a in figure.axes if a.get_visible()]
    assert titles == ["Loss", "Accuracy on the test half", "Update over weight", "Share of dead units", "Gradient norm"]
    assert figure.axes[0].lines[0].get_ydata().tolist() == seen.losses
    assert figure.axes[4].lines[0].get_ydata().tolist() == [v.gradient_norm for v in seen.vitals]
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    assert buffer.getvalue().startswith(b"\x89PNG")


@pytest.mark.craft("OP23")
def test_the_dashboard_shows_units_that_died_and_a_rate_too_large() -> None:
    network = mlp(layers=2)
    with torch.no_grad():
        network[0].bias[:8] = -100.0
    seen = babysit(TrainSection(optimizer="sgd", lr=0.01, epochs=1, batch_size=64), network=network)
    assert seen.vitals[-1].dead_units["1"] >= 8 / 32
    hot = babysit(TrainSection(optimizer="adam", lr=1.0, epochs=1, batch_size=64))
    assert max(hot.vitals[0].update_ratios.values()) > 1


def test_watching_changes_nothing() -> None:
    from osler.lab.small_training import train_digits

    section = TrainSection(optimizer="adam", lr=0.003, epochs=1, batch_size=64, schedule="constant")
    watched = babysit(section, network=mlp())
    assert watched.losses == train_digits(mlp(), section).losses
