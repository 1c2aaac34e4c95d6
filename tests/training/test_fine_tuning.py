"""Fine-tuning: what is frozen does not move, what joins later moves later, and rates fall from layer to layer."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from osler.models.registry import create_model
from osler.structures.errors import RecipeError
from osler.training.fine_tuning import FineTuningSection, Freezing, layers_of, scale_learning_rates
from osler.verbs.run import Run
from tiny_runs import tiny_preparation, tiny_run

DEEP = {"model.options": {"widths": [4, 8, 8], "depth": 1}}


def weights(run: Run) -> dict[str, torch.Tensor]:
    from osler.training.artefact import load_artefact

    return load_artefact(run.folder.best).model.state_dict()


def start(**values: Any) -> dict[str, torch.Tensor]:
    """The weights before the first update of a tiny run with these values."""
    return {k: v.clone() for k, v in tiny_preparation(**(DEEP | values)).training.model.state_dict().items()}


def moved(run: Run, before: dict[str, torch.Tensor]) -> set[str]:
    return {k for k, v in weights(run).items() if not torch.equal(v, before[k])}


def test_the_layers_of_a_network_are_its_parts_in_order() -> None:
    layers = layers_of(create_model("resnet18", num_classes=5))
    assert layers[0] == ("conv1", "bn1"), "a norm belongs to the layer before it"
    blocks = [(f"layer{i}.{j}",) for i in (1, 2, 3, 4) for j in (0, 1)]
    assert layers[1:] == [*blocks, ("fc",)]


def test_a_frozen_backbone_keeps_weights_and_statistics(tmp_path: Path) -> None:
    values = {"finetune.freeze": "backbone"}
    run = tiny_run(tmp_path / "run", **DEEP, **values)
    assert moved(run, start(**values)) == {"head.weight", "head.bias"}


def test_freezing_up_to_a_module_takes_all_before_it(tmp_path: Path) -> None:
    values = {"finetune.freeze": "stages.1"}
    changed = moved(tiny_run(tmp_path / "run", **DEEP, **values), start(**values))
    assert any(k.startswith("stages.2") for k in changed)
    assert not any(k.startswith(("stages.0", "stages.1")) for k in changed)


def test_freezing_by_pattern(tmp_path: Path) -> None:
    values = {"finetune.freeze": ["*.norm.*"]}
    run = tiny_run(tmp_path / "run", **DEEP, **values)
    changed = moved(run, start(**values))
    assert not any(".norm." in k for k in changed)
    assert any(".conv." in k for k in changed)


def test_frozen_norms_keep_their_statistics_while_weights_move(tmp_path: Path) -> None:
    values = {"finetune.freeze_norm": True}
    changed = moved(tiny_run(tmp_path / "run", **DEEP, **values), start(**values))
    assert not any("running" in k or "batches_tracked" in k for k in changed)
    assert "stages.0.0.conv.weight" in changed
    assert "stages.0.0.norm.weight" in changed


def test_layers_join_one_after_another_from_the_head() -> None:
    model = create_model("convnet", num_classes=3, widths=(4, 8, 8), depth=1)
    freezing = Freezing(model, FineTuningSection(freeze="backbone", unfreeze_every=2))
    free = []
    for epoch in range(8):
        model.train()
        freezing.apply(model, epoch)
        free.append(sorted({n.split(".")[1] for n, p in model.named_parameters() if p.requires_grad and "stages" in n}))
        running = {m.training for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d) and "stages.2" in n}
        assert running == {epoch >= 2}, "statistics are kept exactly as long as the layer is frozen"
    assert free == [[], [], ["2"], ["2"], ["1", "2"], ["1", "2"], ["0", "1", "2"], ["0", "1", "2"]]


def test_a_layer_moves_once_it_has_joined(tmp_path: Path) -> None:
    values = {"finetune.freeze": "backbone", "finetune.unfreeze_every": 1}
    last = values | {"epochs": 2, "patience": 0}
    run = tiny_run(tmp_path / "run", **DEEP, **last, **{"train.ema": 0.0})
    from osler.training.checkpoint import read_checkpoint

    after = read_checkpoint(run.folder.last)["state"]["model"]
    before = start(**values)
    changed = {k for k, v in after.items() if not torch.equal(v, before[k])}
    assert any(k.startswith("stages.2") for k in changed)
    assert not any(k.startswith(("stages.0", "stages.1")) for k in changed)


def test_gradual_unfreezing_resumes_where_it_was(tmp_path: Path) -> None:
    """The same weights, bit for bit, in one go and in two."""
    import osler
    from osler.training.checkpoint import read_checkpoint
    from osler.training.observer import Observer

    class StopAfter(Observer):
        def epoch_ended(self, training: Any, epoch: Any) -> None:
            if epoch.number == 1:
                training.asked_to_stop = "the test"

    values = DEEP | {"finetune.freeze": "backbone", "finetune.unfreeze_every": 1, "epochs": 3}
    whole = tiny_run(tmp_path / "whole", **values)
    tiny_run(tmp_path / "parts", observers=[StopAfter()], **values)
    parts = osler.resume_run(tmp_path / "parts", quiet=True)
    one, two = (read_checkpoint(run.folder.last)["state"]["model"] for run in (whole, parts))
    assert all(torch.equal(v, two[k]) for k, v in one.items())


def test_learning_rates_fall_from_layer_to_layer() -> None:
    model = create_model("convnet", num_classes=3, widths=(4, 8), depth=2)
    scale_learning_rates(model, FineTuningSection(layer_decay=0.5, lr_scales={"head.bias": 3.0}))
    assert model.lr_scales["head.weight"] == 1
    assert model.lr_scales["head.bias"] == 3
    assert [model.lr_scales[f"stages.{i}.{j}.conv.weight"] for i in (0, 1) for j in (0, 1)] == [
        1 / 16,
        1 / 8,
        1 / 4,
        1 / 2,
    ]


def test_a_networks_own_multiples_stay_underneath() -> None:
    model = create_model("airbench", num_classes=3, widths=(8, 8, 8))
    scale_learning_rates(model, FineTuningSection(lr_scales={"blocks.2.*": 0.5}))
    assert model.lr_scales["blocks.2.norm1.bias"] == 32
    assert model.lr_scales["blocks.1.norm1.bias"] == 64
    assert model.lr_scales["blocks.2.conv1.weight"] == 0.5


def test_optimisers_get_the_scaled_rates() -> None:
    groups = tiny_preparation(**(DEEP | {"finetune.layer_decay": 0.5, "lr": 0.1})).training.groups
    rates = {round(g["lr"] / 0.1, 4) for group in groups.values() for g in group.optimizer.param_groups}
    assert max(rates) == pytest.approx(8 * min(rates), rel=0.01)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"freeze": "stages.9"}, "Did you mean 'stages"),
        ({"freeze": ["*"]}, "nothing to train"),
        ({"unfreeze_every": 1}, "needs something frozen"),
    ],
)
def test_what_cannot_be_frozen_is_a_sentence(values: dict[str, Any], sentence: str) -> None:
    model = create_model("convnet", num_classes=3)
    with pytest.raises(RecipeError, match=sentence):
        Freezing(model, FineTuningSection(**values))


def test_a_pattern_of_rates_that_fits_nothing_is_a_sentence() -> None:
    with pytest.raises(RecipeError, match=r"haed\.\*.*fits no parameter"):
        scale_learning_rates(create_model("convnet", num_classes=3), FineTuningSection(lr_scales={"haed.*": 2.0}))
