"""The contract stretches to what later tasks need: two optimisers, models that need their targets; frames are few."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn
from toy_data import toy_batch
from toy_tasks import ToyDetection, ToyDetector, ToyGan, ToyPlayers

from osler.structures.sample import Objects, Sample
from osler.tasks.building import build_task
from osler.tasks.classification import Classification
from osler.tasks.multilabel import Multilabel
from osler.tasks.recipe import TaskSection
from osler.tasks.regression import Regression
from osler.tasks.task import Outcome, Task, tasks


def test_two_players_each_move_by_their_own_step():
    torch.manual_seed(0)
    task, model = ToyGan(), ToyPlayers()
    groups = task.groups(model)
    optimizers = {name: torch.optim.SGD(part.parameters(), lr=0.1) for name, part in groups.items()}
    batch = toy_batch(torch.zeros(8))
    batch.images = torch.randn(8, 1, 4, 4)
    order = []
    for step in task.steps(model, batch):
        before = {name: [p.detach().clone() for p in part.parameters()] for name, part in groups.items()}
        optimizers[step.group].zero_grad()
        sum(step.losses().values()).backward()
        optimizers[step.group].step()
        moved = {name for name, part in groups.items() if not all(map(torch.equal, before[name], part.parameters()))}
        order.append(moved)
    assert order == [{"discriminator"}, {"generator"}]


def test_a_discriminator_learns_real_from_fake():
    torch.manual_seed(0)
    task, model = ToyGan(), ToyPlayers()
    optimizer = torch.optim.Adam(model.discriminator.parameters(), lr=0.05)
    batch = toy_batch(torch.zeros(32))
    batch.images = torch.full((32, 1, 4, 4), 3.0)
    first = None
    for _ in range(30):
        step = next(iter(task.steps(model, batch)))
        optimizer.zero_grad()
        loss = step.losses()["d_loss"]
        loss.backward()
        optimizer.step()
        first = loss.item() if first is None else first
    assert loss.item() < first / 4


def test_a_model_that_needs_its_targets_gives_its_own_losses():
    torch.manual_seed(0)
    task, model = ToyDetection(), ToyDetector()
    counts = [2, 0, 1]
    samples = [Sample(None, objects=Objects(np.ones((n, 4)), np.zeros(n, int))) for n in counts]
    batch = toy_batch(task.collate(samples))
    batch.images = torch.randn(3, 1, 4, 4)
    assert [len(t) for t in batch.to("cpu").target] == counts
    assert [len(b.target) for b in batch.split(2)] == [2, 1]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    seen = []
    for _ in range(40):
        for step in task.steps(model, batch):
            optimizer.zero_grad()
            losses = step.losses()
            assert losses.keys() == {"box_loss", "size_loss"}
            sum(losses.values()).backward()
            optimizer.step()
            seen.append(losses["box_loss"].item())
    assert seen[-1] < seen[0] / 2
    with torch.inference_mode():
        raw, losses = task.evaluate(model.eval(), batch)
    outcome = Outcome(np.arange(3), task.decode(raw), batch.target, {k: float(v) for k, v in losses.items()})
    assert task.metrics(outcome)["box_error"] == pytest.approx(losses["box_loss"].item(), rel=1e-4)


class Frames(nn.Module):
    """Notes which of our files stand between the caller and its forward."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs = outputs
        self.ours = []

    def forward(self, images):
        self.ours = [f.filename for f in inspect.stack() if "/osler/" in f.filename]
        return torch.zeros(len(images), self.outputs)


@pytest.mark.parametrize(
    ("task", "target"),
    [
        (Classification("abc"), torch.tensor([0, 1])),
        (Multilabel("abc"), torch.zeros(2, 3)),
        (Regression("abc", mean=[0] * 3, std=[1] * 3), torch.zeros(2, 3)),
    ],
)
def test_one_frame_of_ours_lies_between_the_loop_and_the_model(task, target):
    model = Frames(3)
    for step in task.steps(model, toy_batch(target)):
        step.losses()
    assert len(model.ours) == 1


def test_a_closure_can_be_asked_several_times():
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 3))
    (step,) = Classification("abc").steps(model, toy_batch(torch.tensor([0, 1])))
    assert step.losses()["loss"].item() == step.losses()["loss"].item()


def test_a_task_of_ones_own_is_built_without_more():
    class Mine(ToyGan):
        name = "mine"

    tasks.register("mine")(Mine)
    try:
        task = build_task(TaskSection(name="mine"), None)
        assert isinstance(task, Mine)
        assert task.facts() == {}
        assert isinstance(Mine.from_facts(task.facts()), Mine)
        assert task.mistakes(Outcome(np.arange(3), None, None)).tolist() == [0, 0, 0]
    finally:
        del tasks._things["mine"]


def test_registered_tasks_say_what_they_watch():
    for name in ("classification", "multilabel", "regression"):
        assert issubclass(tasks[name], Task)
        assert tasks[name].name == name
