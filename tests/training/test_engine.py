"""The engine: automatic choices with their reasons, and what it does on one device (next to nothing)."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from osler.structures.errors import RecipeError, TrainingError
from osler.training import engine as engines
from osler.training.engine import Engine, build_engine
from osler.training.loop import fit
from osler.training.section import TrainSection
from tiny_runs import tiny_preparation


def section(**values: Any) -> TrainSection:
    return TrainSection(**({"device": "cpu", "precision": "float32", "memory_format": "contiguous"} | values))


def test_precision_follows_the_cost_of_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "processor_has_bfloat16", lambda: True)
    cheap, why_cheap = engines.choose_precision("cpu", engines.WORTH_BFLOAT16 - 1)
    dear, why_dear = engines.choose_precision("cpu", engines.WORTH_BFLOAT16)
    assert (cheap, dear) == ("float32", "bfloat16")
    assert "too few" in why_cheap
    assert "worth it" in why_dear


def test_a_processor_without_bfloat16_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "processor_has_bfloat16", lambda: False)
    assert engines.choose_precision("cpu", 10**12) == ("float32", "this processor has no bfloat16")


def test_the_processors_own_list_of_features_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    lines = {"flags : fpu avx512_bf16 sse": True, "Features : fp asimd bf16": True, "flags : fpu avx2 not_bf16x": False}
    real = open
    for line, expected in lines.items():
        (tmp_path / "cpuinfo").write_text(f"model name : x\n{line}\n")
        monkeypatch.setattr(engines.platform, "system", lambda: "Linux")
        monkeypatch.setattr("builtins.open", lambda *a, **k: real(tmp_path / "cpuinfo", **k))
        assert engines.processor_has_bfloat16() is expected
        monkeypatch.undo()


def test_convolutions_are_laid_out_channels_last_and_nothing_else_is() -> None:
    assert engines.choose_memory_format(nn.Sequential(nn.Conv2d(1, 1, 1)))[0] == "channels_last"
    assert engines.choose_memory_format(nn.Linear(1, 1))[0] == "contiguous"


def test_the_batch_grows_with_the_set_and_shrinks_with_the_pictures() -> None:
    sizes = [engines.choose_batch_size(n, (32, 32))[0] for n in (20, 500, 5_000, 50_000)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 4
    large = [engines.choose_batch_size(50_000, (side, side))[0] for side in (32, 224, 512)]
    assert large == sorted(large, reverse=True)
    assert "50000 training pictures of 32x32" in engines.choose_batch_size(50_000, (32, 32))[1]


def test_pictures_in_memory_need_no_workers_and_processes_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert engines.choose_workers(True)[0] == 0
    assert engines.choose_workers(False)[0] == 6
    assert engines.choose_workers(False, local_world=4)[0] == 1
    monkeypatch.setattr(engines.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert engines.choose_workers(False)[0] == 8


def test_every_automatic_choice_of_a_recipe_is_made_once_and_gives_its_reason() -> None:
    recipe = tiny_preparation(precision="auto", workers="auto", batch_size="auto").training.recipe
    left = [key for key, value, _ in recipe.rows() if value == "auto" and key.startswith(("train.", "model."))]
    assert left == ["model.initialisation", "train.monitor"]  # the network's word and the task's, not choices
    automatic = {k: o for k, o in recipe.origins.items() if o.who == "automatic"}
    assert {"train.precision", "train.memory_format", "train.batch_size", "train.workers", "train.lr"} <= set(automatic)
    assert all(o.reason for o in automatic.values())


def test_what_a_person_set_is_obeyed() -> None:
    recipe = tiny_preparation(precision="bfloat16", batch_size=7, lr=0.3, memory_format="contiguous").training.recipe
    train = recipe.recipe.train
    assert (train.precision, train.batch_size, train.lr, train.memory_format) == ("bfloat16", 7, 0.3, "contiguous")
    assert {recipe.origin(f"train.{k}").who for k in ("precision", "batch_size", "lr", "memory_format")} == {"person"}


def test_a_device_that_is_not_there_is_said() -> None:
    for name in ("cuda:99", "nonsense"):
        with pytest.raises(TrainingError, match=f"train.device={name} is not there.*device=auto"):
            build_engine(section(device=name))


def test_a_model_is_placed_in_the_memory_format_with_its_values_unchanged() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3))
    before = copy.deepcopy(model.state_dict())
    build_engine(section(memory_format="channels_last")).place(model)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(model[0].weight, before["0.weight"])


def test_autocast_computes_in_the_precision_asked_for() -> None:
    layer, x = nn.Linear(2, 2), torch.ones(1, 2)
    with build_engine(section(precision="bfloat16")).autocast():
        assert layer(x).dtype == torch.bfloat16
    with build_engine(section()).autocast():
        assert layer(x).dtype == torch.float32


def test_one_process_agrees_with_itself() -> None:
    engine = Engine(torch.device("cpu"))
    values = torch.tensor([1.0, 2.0])
    assert engine.leads
    assert engine.weighted_mean(values, values) == (values, values)
    assert engine.gather("thing") == ["thing"]
    assert engine.share("thing") == "thing"
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.tensor([3.0, 4.0])
    assert float(engine.average_gradients([weight], torch.tensor(0.5), 7)) == 0.5
    assert weight.grad.tolist() == [3.0, 4.0]


def test_a_learning_rate_that_follows_the_batch_counts_the_accumulated_batches() -> None:
    def rate(**values: Any) -> float:
        return (
            tiny_preparation(lr=0.4, lr_scaling="linear", lr_batch_size=32, **values)
            .training.groups["model"]
            .schedule.base_lrs[0]
        )

    assert rate(batch_size=32) == pytest.approx(0.4)
    assert rate(batch_size=8) == pytest.approx(0.1)
    assert rate(batch_size=8, accumulate=4) == pytest.approx(0.4)


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 6, 8, 24])
def test_an_automatic_batch_divides_evenly_among_processes_and_can_be_halved(processes: int) -> None:
    for pictures in (20, 500, 5_000, 50_000):
        for side in (32, 224, 512):
            size, reason = engines.choose_batch_size(pictures, (side, side), processes)
            assert size % processes == 0
            assert (size // processes).bit_count() == 1
            alone = engines.choose_batch_size(pictures, (side, side))[0]
            assert size <= max(alone, processes)
            assert 2 * size > alone
            assert (f"for each of {processes} processes" in reason) is (processes > 1)


def test_processes_share_the_cores_of_their_own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(engines, "choose_workers", lambda in_memory, world: (asked.append(world) or 0, "asked"))
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert engines.launched_processes() == 8
    assert engines.local_processes() == 4
    monkeypatch.setattr("osler.training.building.build_engine", _stop)
    with pytest.raises(TrainingError, match="far enough"):
        tiny_preparation(workers="auto")
    assert asked == [4]


def _stop(section: TrainSection) -> Engine:
    assert section.batch_size % 8 == 0
    raise TrainingError("far enough")


def test_lbfgs_is_laid_out_contiguous_and_never_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    train = tiny_preparation(optimizer="lbfgs").training.recipe.recipe.train
    assert train.memory_format == "contiguous"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert engines.choose_precision("cuda", 10**9)[0] == "float16"
    assert engines.choose_precision("cuda", 10**9, "lbfgs")[0] == "float32"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"memory_format": "channels_last"}, r"train\.memory_format=channels_last .* lbfgs.* Use contiguous"),
        ({"precision": "float16"}, r"train\.precision=float16 .* lbfgs.* Use float32 or bfloat16"),
    ],
)
def test_what_lbfgs_cannot_take_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        tiny_preparation(optimizer="lbfgs", **values)


def test_lbfgs_trains_convolutions() -> None:
    options = {"widths": [8, 16], "depth": 1}
    training = tiny_preparation(optimizer="lbfgs", batch_size=80, epochs=2, **{"model.options": options}).training
    fit(training, [])
    assert training.position.update == 2


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_pictures_come_to_the_network_in_the_memory_format_of_the_recipe(memory_format: str) -> None:
    class Looks(nn.Sequential):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if looking:
                seen.add(
                    (self.training, images.is_contiguous(), images.is_contiguous(memory_format=torch.channels_last))
                )
            return super().forward(images)

    seen: set[tuple[bool, bool, bool]] = set()
    looking: list[bool] = []
    model = Looks(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    pictures = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8), np.arange(40) % 2
    training = tiny_preparation(model=model, data=pictures, memory_format=memory_format).training
    looking.append(True)
    fit(training, [])
    plain = memory_format == "contiguous"
    assert seen == {(True, plain, not plain), (False, plain, not plain)}
