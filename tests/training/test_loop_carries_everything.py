"""The same loop carries two optimisers, models that need their targets, L-BFGS, and a stage without a gradient."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from toy_tasks import ToyDetection, ToyDetector, ToyGan, ToyPlayers

import osler
from osler.data.source import DataSource
from osler.structures.sample import Objects, Sample

PLAIN = {"quiet": True, "train.schedule": "constant", "augment": "none"}


class Pictures:
    """Random 4x4 grey pictures, each with one to three boxes."""

    decode_size = None

    def __init__(self, count, seed=0):
        rng = np.random.default_rng(seed)
        self.images = rng.integers(0, 256, (count, 4, 4, 1), dtype=np.uint8)
        self.boxes = [np.tile(np.float32([0.5, 0.5, 3, 3]), (1 + i % 3, 1)) for i in range(count)]
        self.targets = np.zeros(count, np.int64)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        boxes = self.boxes[index]
        objects = Objects(boxes, np.zeros(len(boxes), np.int64))
        return Sample(self.images[index], 0, objects=objects, index=index)

    def path(self, index):
        return ""

    def select(self, rows, targets=None):
        raise AssertionError("not needed here")


def source(count=48):
    train, validation = Pictures(count), Pictures(16, seed=1)
    return DataSource(
        "toys", "class", ("thing",), train, validation, channels=1, typical_size=(4, 4), uniform=True, in_memory=True
    )


def test_two_optimisers_play_against_each_other(tmp_path):
    model = ToyPlayers()
    before = {n: p.clone() for n, p in model.named_parameters()}
    run = osler.train(data=source(), model=model, task=ToyGan(), out=tmp_path / "run", epochs=4, **PLAIN)
    moved = {n.split(".")[0] for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {"generator", "discriminator"}
    assert {"train.d_loss", "train.g_loss"} <= set(run.history[0])
    assert all(p.requires_grad for p in model.parameters())


def test_a_generators_step_leaves_no_gradient_in_its_critic(tmp_path):
    seen = []

    class Looks(ToyGan):
        def steps(self, model, batch):
            for step in super().steps(model, batch):
                yield step
                seen.append(
                    (
                        step.group,
                        [p.grad is not None for p in model.discriminator.parameters()],
                        model.discriminator[1].weight.clone(),
                    )
                )

    osler.train(data=source(), model=ToyPlayers(), task=Looks(), out=tmp_path / "run", epochs=1, **PLAIN)
    (first, _, after_own), (second, _, after_other) = seen[:2]
    assert (first, second) == ("discriminator", "generator")
    assert torch.equal(after_own, after_other)


def test_two_optimisers_accumulate_like_one_large_batch(tmp_path):
    class Fixed(ToyGan):
        """Noise that does not depend on how the batch is cut."""

        def steps(self, model, batch):
            noise = (batch.indices[:, None] * torch.tensor([1.0, 2.0, 3.0, 4.0])).sin()

            def fake():
                return model.generator(noise).view(-1, *model.picture)

            yield from super().steps(_Same(model, fake), batch)

    class _Same:
        def __init__(self, model, fake):
            self.model, self.generate = model, lambda count: fake()
            self.discriminator, self.generator = model.discriminator, model.generator

        def __call__(self, images):
            return self.model(images)

    weights = []
    for number, words in enumerate((["batch_size=24"], ["batch_size=8", "accumulate=3"])):
        torch.manual_seed(0)
        model = ToyPlayers()
        settings = {**PLAIN, "optimizer": "sgd", "lr": 0.05, "weight_decay": 0}
        osler.train(
            data=source(), model=model, task=Fixed(), out=tmp_path / str(number), epochs=2, overrides=words, **settings
        )
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-5, atol=1e-6)


def test_a_model_that_needs_its_targets_in_the_forward_pass(tmp_path):
    run = osler.train(
        data=source(), model=ToyDetector(), task=ToyDetection(), out=tmp_path / "run", epochs=60, lr=0.03, **PLAIN
    )
    errors = [row["validation.box_error"] for row in run.history]
    assert errors[-1] < errors[0] / 2
    assert {"train.box_loss", "train.size_loss"} <= set(run.history[0])


def test_lbfgs_evaluates_several_times_an_update(tmp_path):
    calls = []

    class Counted(nn.Sequential):
        def forward(self, images):
            calls.append(self.training)
            return super().forward(images)

    model = Counted(nn.Flatten(), nn.Linear(64, 10))
    words = ["batch_size=400", "data.limit=400", "train.optimizer=lbfgs", "train.optimizer_options.max_iter=8"]
    run = osler.train(model=model, overrides=words, out=tmp_path / "run", epochs=3, **PLAIN)
    updates = run.history[-1]["updates"]
    assert sum(calls) > 3 * updates
    assert run.metrics["accuracy"] > 0.85


def test_an_estimator_follows_a_network_in_the_same_run(tmp_path):
    words = ["data.limit=500", "estimator=svm"]
    run = osler.train(overrides=words, out=tmp_path / "run", epochs=2, model="convnet", **PLAIN)
    assert run.folder.estimator.exists()
    assert type(run.artefact().model).__name__ == "EstimatorHead"
    assert run.metrics["accuracy"] > 0.9
    assert run.evaluate().metrics["accuracy"] == pytest.approx(run.metrics["accuracy"])


def test_from_the_call_to_the_forward_pass_six_frames_in_three_files(tmp_path):
    stacks = []

    class Looks(nn.Sequential):
        def forward(self, images):
            if self.training and torch.is_grad_enabled():
                stacks.append([f.filename for f in inspect.stack()])
            return super().forward(images)

    osler.train(
        model=Looks(nn.Flatten(), nn.Linear(64, 10)), out=tmp_path / "run", epochs=1, **{"data.limit": 64}, **PLAIN
    )
    package = str(Path(osler.__file__).parent)
    ours = [name for name in stacks[-1] if name.startswith(package) or name == __file__]
    call = next(i for i, name in enumerate(ours) if name.endswith("verbs/train.py"))
    between = ours[:call]  # from the model's forward, which is this file's, up to the call of osler.train
    assert len(between) <= 6
    assert [Path(name).parent.name + "/" + Path(name).name for name in dict.fromkeys(between)][1:] == [
        "tasks/supervised.py",
        "training/loop.py",
    ]
    assert len(set(between)) <= 3
