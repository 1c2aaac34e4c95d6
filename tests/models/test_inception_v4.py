"""Inception v4, which has no residual connections, and Inception-ResNet v2, which has."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from osler.models.public_names import find_public
from osler.models.registry import create_model


class Additions(TorchDispatchMode):
    """Counts the sums of two maps that a forward pass makes."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.ops.aten.add.Tensor, torch.ops.aten.add_.Tensor):
            self.count += all(isinstance(a, torch.Tensor) and a.ndim == 4 for a in args[:2])
        return func(*args, **(kwargs or {}))


def made(name: str, **options: Any) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, **options).eval()


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def additions(name: str) -> int:
    with Additions() as scan, torch.no_grad():
        made(name)(torch.zeros(1, 3, 299, 299, device="meta"))
    return scan.count


@pytest.mark.craft("AR12", "AR13")
def test_a_scan_finds_residual_additions_in_inception_resnet_and_none_in_v4() -> None:
    assert additions("inception_v4") == 0
    assert additions("inception_resnet_v2") == 10 + 20 + 10


@pytest.mark.craft("AR12")
def test_v4_has_the_blocks_and_maps_of_figure_9() -> None:
    model = made("inception_v4")
    assert count(model) == 42_679_816
    assert (len(model.stage1), len(model.stage2), len(model.stage3)) == (4, 1 + 7, 1 + 3)
    found: list[tuple[int, ...]] = []
    for part in (model.stem, model.stage1, model.stage2, model.stage3):
        part.register_forward_hook(lambda _m, _i, y: found.append(tuple(y.shape[1:])))
    model(torch.zeros(1, 3, 299, 299, device="meta"))
    assert found == [(384, 35, 35), (384, 35, 35), (1024, 17, 17), (1536, 8, 8)]


@pytest.mark.craft("AR13")
def test_inception_resnet_gives_raw_outputs_of_299_pixels() -> None:
    torch.manual_seed(0)
    assert made("inception_resnet_v2")(torch.zeros(1, 3, 299, 299, device="meta")).shape == (1, 1000)
    narrow = create_model("inception_resnet_v2", num_classes=1000, width=0.125).eval()
    with torch.no_grad():
        raw = narrow(torch.randn(1, 3, 299, 299))
    assert raw.shape == (1, 1000)
    assert raw.isfinite().all()


def timms_names() -> set[str]:
    """The convolutions, norms and linear layers of timm's inception_resnet_v2, as its blocks name them."""

    def units(place: str, branches: list[int]) -> list[str]:
        """A branch of one convolution has no number."""
        names = []
        for i, steps in enumerate(branches):
            names += [f"{place}.branch{i}"] if steps == 1 else [f"{place}.branch{i}.{j}" for j in range(steps)]
        return names

    made = [f"conv2d_{x}" for x in ("1a", "2a", "2b", "3b", "4a", "7b")]
    made += [
        *units("mixed_5b", [1, 2, 3]),
        "mixed_5b.branch3.1",
        *units("mixed_6a", [1, 3]),
        *units("mixed_7a", [2, 2, 3]),
    ]
    places = [(f"repeat.{i}", [1, 2, 3]) for i in range(10)] + [(f"repeat_1.{i}", [1, 3]) for i in range(20)]
    places += [*((f"repeat_2.{i}", [1, 3]) for i in range(9)), ("block8", [1, 3])]
    for place, branches in places:
        made += units(place, branches)
    norms = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    keys = {f"{unit}.conv.weight" for unit in made} | {f"{unit}.bn.{norm}" for unit in made for norm in norms}
    linear = [*(f"{place}.conv2d" for place, _ in places), "classif"]
    return keys | {f"{layer}.{part}" for layer in linear for part in ("weight", "bias")}


def test_timms_keys_are_ours_one_to_one() -> None:
    """timm's file is not among the facts; its keys follow from its blocks."""
    public, ours = find_public("timm", "inception_resnet_v2"), made("inception_resnet_v2").state_dict()
    renamed = {public.key(theirs): theirs for theirs in timms_names()}
    assert len(renamed) == len(timms_names())
    assert renamed.keys() == ours.keys()
    assert renamed["stage3.10.project.weight"] == "block8.conv2d.weight"
    assert renamed["stage2.20.mixed.branches.1.2.conv.weight"] == "repeat_1.19.branch1.2.conv.weight"
    assert renamed["stage1.0.branches.0.0.bn.bias"] == "mixed_5b.branch0.bn.bias"


@pytest.mark.parametrize("name", ["inception_v4", "inception_resnet_v2"])
def test_the_small_stem_keeps_the_resolution(name: str) -> None:
    model = create_model(name, num_classes=5, stem="small", width=0.125).eval()
    assert (model.input_size, model.minimum_size) == (32, 7)
    assert [m.stride for m in model.feature_maps] == [1, 2, 4]
    found: list[int] = []
    for part in (model.stem, model.stage1, model.stage2, model.stage3):
        part.register_forward_hook(lambda _m, _i, y: found.append(y.shape[-1]))
    with torch.no_grad():
        model(torch.randn(1, 3, 32, 32))
        assert found == [32, 32, 15, 7]
        assert model(torch.randn(1, 3, 7, 7)).isfinite().all()
        with pytest.raises(RuntimeError):
            model(torch.randn(1, 3, 6, 6))
