"""Out of memory: half the batch and twice the accumulation where the batch was Osler's choice, a sentence where it was not."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from osler.structures.errors import TrainingError
from osler.training.loop import fit
from osler.training.memory import is_out_of_memory
from osler.training.observer import Observer, Updates
from osler.training.run_folder import RunFolder
from osler.training.state import Training
from tiny_runs import PlainNet, assert_same_weights, shade_arrays, tiny_preparation, tiny_run, weights_of


class Hungry(PlainNet):
    """Has no room for more than so many pictures while it trains."""

    def __init__(self, room: int, **options: int) -> None:
        super().__init__(2, **options)
        self.room = room
        self.seen: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            if len(images) > self.room:
                raise torch.OutOfMemoryError(f"tried to allocate room for {len(images)} pictures")
            self.seen.append(len(images))
        return super().forward(images)


class Losses(Observer):
    def __init__(self) -> None:
        self.values: list[float] = []

    def updated(self, training: Training, updates: Updates) -> None:
        self.values += updates.losses["loss"]


def run_with_room(out: Path, room: int, **values: object) -> tuple[Hungry, RunFolder, list[float]]:
    torch.manual_seed(0)
    model, losses = Hungry(room), Losses()
    data = {"train": shade_arrays(256), "validation": shade_arrays(32, seed=1)}
    values = {"train.doctor": False, **values}  # its probes call the model as well
    run = tiny_run(out, model=model, data=data, observers=[losses], epochs=2, optimizer="momentum", **values)
    return model, run.folder, losses.values


def test_half_the_batch_and_twice_the_accumulation_go_on_with_the_same_updates(tmp_path: Path) -> None:
    model, folder, losses = run_with_room(tmp_path / "little", room=10)
    roomy, _, expected = run_with_room(tmp_path / "plenty", room=1000)
    assert max(model.seen) == 8
    assert sum(model.seen) == sum(roomy.seen) == 2 * 256  # every picture once an epoch
    assert losses == pytest.approx(expected, abs=1e-6)
    for name, value in weights_of(roomy).items():
        torch.testing.assert_close(weights_of(model)[name], value, atol=1e-6, rtol=1e-5)
    train = folder.recipe().recipe.train
    assert (train.batch_size, train.accumulate) == (8, 4)


def test_the_change_is_on_the_record_with_its_reason(tmp_path: Path) -> None:
    _, folder, _ = run_with_room(tmp_path / "run", room=20)
    recipe = folder.recipe()
    for key in ("train.batch_size", "train.accumulate"):
        assert recipe.origin(key).who == "automatic"
        assert recipe.origin(key).reason == "memory ran out with 32"
    store = folder.store()
    said = [text for _, kind, text in store.events() if kind == "memory"]
    store.close()
    assert said == ["memory ran out with 32 pictures in a batch; it goes on with 16, and 2 batches an update."]


def test_a_batch_that_a_person_set_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as refused:
        run_with_room(tmp_path / "run", room=10, batch_size=32)
    assert "Memory ran out with 32 pictures" in str(refused.value)
    assert "train.batch_size" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_single_picture_that_is_too_much_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Memory ran out with 1 pictures"):
        run_with_room(tmp_path / "run", room=0)


def test_another_error_of_the_network_is_not_taken_for_it(tmp_path: Path) -> None:
    class Broken(PlainNet):
        def forward(self, images: Tensor) -> Tensor:
            if self.training:
                raise RuntimeError("a fault of its own")
            return super().forward(images)

    with pytest.raises(RuntimeError, match="a fault of its own"):
        tiny_run(tmp_path / "run", model=Broken(2), data=shade_arrays(40))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (MemoryError(), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            True,
        ),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("DefaultCPUAllocator: can't allocate memory"), False),
    ],
)
def test_what_says_that_memory_ran_out(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_torch_itself_says_so_in_words_that_are_known() -> None:
    with pytest.raises(RuntimeError) as failed:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(failed.value)


class HungryWhenJudged(PlainNet):
    """Has no room for more than 5 pictures while it is evaluated in a training."""

    def __init__(self) -> None:
        super().__init__(2)
        self.seen: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        if not self.training and torch.is_inference_mode_enabled() and len(images) > 2:  # two: the check of the outputs
            if len(images) > 5:
                raise torch.OutOfMemoryError(f"tried to allocate room for {len(images)} pictures")
            self.seen.append(len(images))
        return super().forward(images)


def test_a_validation_without_room_goes_on_with_half_its_batch(tmp_path: Path) -> None:
    data = {"train": shade_arrays(256), "validation": shade_arrays(32, seed=1)}
    training = {}
    for name, model in {"little": HungryWhenJudged(), "plenty": PlainNet(2)}.items():
        torch.manual_seed(0)
        for layer in (model.hidden, model.head):
            layer.reset_parameters()
        training[name] = tiny_preparation(model=model, data=data, epochs=2, optimizer="sgd").training
        fit(training[name], [])
    little, plenty = training["little"], training["plenty"]
    assert set(little.model.seen) == {4}
    assert (little.train_loader.batch_size, little.recipe.recipe.train.accumulate) == (16, 1)  # which had room
    assert (little.outcome.indices == plenty.outcome.indices).all()
    assert little.outcome.losses["loss"] == pytest.approx(plenty.outcome.losses["loss"], abs=1e-6)
    assert_same_weights(weights_of(little.model), weights_of(plenty.model))


def test_a_validation_without_room_for_the_batch_that_a_person_set_is_refused() -> None:
    data = {"train": shade_arrays(64), "validation": shade_arrays(32, seed=1)}
    training = tiny_preparation(model=HungryWhenJudged(), data=data, batch_size=16).training
    with pytest.raises(TrainingError, match=r"Memory ran out with 16 pictures.*train\.batch_size"):
        fit(training, [])
