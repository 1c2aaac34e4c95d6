"""Where a NaN came from is said: the layer, the loss, the weights, or the pictures."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from osler.structures.errors import NotFiniteError
from osler.tasks.task import Step
from osler.training.not_finite import explain_not_finite
from tiny_runs import PlainNet, shade_arrays, tiny_run


class Sick(nn.Module):
    """Puts out NaN from finite inputs."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.log(-1 - x.abs())


class SickInTraining(Sick):
    """Is well while it is looked at before a training."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if self.training else x


def sick_net() -> nn.Module:
    inner = nn.Sequential(nn.Linear(64, 8), SickInTraining(), nn.ReLU())
    return nn.Sequential(nn.Flatten(), inner, nn.Linear(8, 2))


def message(out: Path, **values: object) -> str:
    with pytest.raises(NotFiniteError) as stopped:
        tiny_run(out, data=shade_arrays(40), batch_size=8, **values)
    return str(stopped.value)


def test_a_planted_nan_in_a_layer_is_named(tmp_path: Path) -> None:
    said = message(tmp_path / "run", model=sick_net())
    assert "at update 1 (epoch 1)" in said
    assert "1.1 (SickInTraining) was the first to put out NaN or infinity, from finite inputs and weights" in said
    assert not (tmp_path / "run").exists()  # nothing could go on from it


def test_a_loss_that_is_nan_by_itself_is_named(tmp_path: Path) -> None:
    said = message(tmp_path / "run", model=PlainNet(2), loss=lambda outputs, target: (outputs * torch.nan).sum())
    assert "the loss itself" in said


def root_of_nothing(outputs: Tensor, target: Tensor) -> Tensor:
    """0, with a gradient that is no number."""
    return (outputs * 0).pow(2).sum().sqrt()


def test_weights_that_are_no_numbers_are_named_with_the_learning_rate(tmp_path: Path) -> None:
    said = message(tmp_path / "run", model=PlainNet(2), loss=root_of_nothing, optimizer="sgd", lr=0.25)
    assert "at update 2 (epoch 1)" in said  # the first update still had a finite loss
    assert re.search(r"The weights of hidden\.weight are no longer finite, nor those of 3 more", said)
    assert "The learning rate was 0.2" in said


def test_weights_that_flew_away_are_seen_in_the_layer_that_overflows(tmp_path: Path) -> None:
    said = message(tmp_path / "run", model=PlainNet(2), optimizer="sgd", lr=1e38, schedule="constant")
    assert "at update 2 (epoch 1)" in said
    assert re.search(r"(hidden|head) \(Linear\) was the first .*\(the largest is .*e\+3\d", said)


def test_pictures_that_are_not_finite_are_blamed_before_the_layer_that_got_them() -> None:
    model = PlainNet()
    pictures = torch.full((1, 1, 8, 8), torch.nan)
    training = SimpleNamespace(
        model=model, lr=0.1, position=SimpleNamespace(update=4, epoch=2)
    )  # what the explanation reads of a training
    step = Step(lambda: {"loss": model(pictures).sum()})
    said = str(explain_not_finite(training, step))  # type: ignore[arg-type]
    assert "update 5 (epoch 3)" in said
    assert "given to hidden (Linear) were not finite" in said


def test_looking_leaves_no_hooks_behind() -> None:
    model = sick_net()
    training = SimpleNamespace(model=model, lr=0.1, position=SimpleNamespace(update=0, epoch=0))
    explain_not_finite(training, Step(lambda: {"loss": model(torch.zeros(1, 1, 8, 8)).sum()}))  # type: ignore[arg-type]
    assert not any(m._forward_hooks for m in model.modules())
