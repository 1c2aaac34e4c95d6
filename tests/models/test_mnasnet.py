"""MnasNets: published counts, their plan, public names, and the reward of the search that found them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from osler.models.cost import multiply_adds
from osler.models.mnas_reward import mnas_reward
from osler.models.mnasnet import A1, B1
from osler.models.public_names import find_public
from osler.models.registry import create_model, feature_maps
from osler.nn.squeeze_excitation import SqueezeExcitation

STATE = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")  # of a norm


def made(name: str, width: float = 1.0, **options: object) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, width=width, **options)


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.craft("LW09")
@pytest.mark.parametrize(("name", "millions", "mult_adds"), [("mnasnet_a1", 3.9, 312), ("mnasnet_b1", 4.4, 315)])
def test_they_have_the_papers_counts(name: str, millions: float, mult_adds: int) -> None:
    """Tan et al. 2019, table 1 (A1), and the table of its ablation of squeeze-and-excitation (B1)."""
    model = made(name)
    assert parameters(model) / 1e6 == pytest.approx(millions, abs=0.05)
    assert multiply_adds(model, 3, (224, 224)) / 1e6 == pytest.approx(mult_adds, abs=1)


@pytest.mark.parametrize(("width", "count"), [(0.5, 2_218_512), (0.75, 3_170_208), (1.0, 4_383_312), (1.3, 6_282_256)])
def test_b1_has_torchvisions_parameters_at_each_width(width: float, count: int) -> None:
    """Its documentation: mnasnet0_5, mnasnet0_75, mnasnet1_0 and mnasnet1_3."""
    assert parameters(made("mnasnet_b1", width)) == count


@pytest.mark.craft("LW09")
def test_stages_are_those_of_the_papers_figure() -> None:
    """Tan et al. 2019, figure 7: shapes for pictures of 224 pixels; gates in three stages of A1, none in B1."""
    shapes = [(16, 112), (24, 56), (40, 28), (80, 14), (112, 14), (160, 7), (320, 7)]
    assert [(m.channels, 224 // m.stride) for m in feature_maps(made("mnasnet_a1"))] == shapes
    gated = [any(isinstance(m, SqueezeExcitation) for m in stage.modules()) for stage in made("mnasnet_a1").stages]
    assert gated == [False, True, False, True, True, False]
    gates = [m for m in made("mnasnet_a1").modules() if isinstance(m, SqueezeExcitation)]
    assert [g.fc1.out_channels for g in gates] == [6, 10, 10, 20, 28, 28, 40, 40], "a quarter of the block's input"
    assert not any(isinstance(m, SqueezeExcitation) for m in made("mnasnet_b1").modules())


def test_the_small_stem_leaves_two_strides_out() -> None:
    assert [m.stride for m in feature_maps(made("mnasnet_a1", stem="small"))] == [1, 1, 2, 4, 4, 8, 8]


def torchvision_keys() -> list[str]:
    """Of its mnasnet1_0: convolutions at 0, 3 and 6, norms behind them, blocks from 8 to 13."""
    keys = [f"layers.{n}.weight" for n in (0, 3, 6, 14)]
    keys += [f"layers.{n}.{s}" for n in (1, 4, 7, 15) for s in STATE]
    for i, stage in enumerate(B1):
        for j in range(stage.depth):
            keys += [f"layers.{8 + i}.{j}.layers.{n}.weight" for n in (0, 3, 6)]
            keys += [f"layers.{8 + i}.{j}.layers.{n}.{s}" for n in (1, 4, 7) for s in STATE]
    return [*keys, "classifier.1.weight", "classifier.1.bias"]


def timm_keys() -> list[str]:
    """Of its semnasnet_100."""
    keys = ["conv_stem.weight", "conv_head.weight", "classifier.weight", "classifier.bias"]
    keys += [f"blocks.0.0.{n}.weight" for n in ("conv_dw", "conv_pw")]
    keys += [f"{n}.{s}" for n in ("bn1", "bn2", "blocks.0.0.bn1", "blocks.0.0.bn2") for s in STATE]
    for i, stage in enumerate(A1, start=1):
        for j in range(stage.depth):
            keys += [f"blocks.{i}.{j}.{n}.weight" for n in ("conv_pw", "conv_dw", "conv_pwl")]
            keys += [f"blocks.{i}.{j}.{n}.{s}" for n in ("bn1", "bn2", "bn3") for s in STATE]
            gate = [f"blocks.{i}.{j}.se.{n}.{s}" for n in ("conv_reduce", "conv_expand") for s in ("weight", "bias")]
            keys += gate if stage.gate else []
    return keys


@pytest.mark.parametrize(
    ("library", "theirs", "name", "keys"),
    [
        ("torchvision", "mnasnet1_0", "mnasnet_b1", torchvision_keys()),
        ("timm", "semnasnet_100", "mnasnet_a1", timm_keys()),
    ],
)
def test_public_keys_are_ours_one_to_one(library: str, theirs: str, name: str, keys: list[str]) -> None:
    public = find_public(library, theirs)
    assert public.network == name
    assert sorted(public.key(key) for key in keys) == sorted(made(name).state_dict())


@pytest.mark.craft("LW09")
@pytest.mark.parametrize(
    ("accuracy", "latency", "options", "reward"),
    [
        (0.75, 80.0, {}, 0.75),
        (0.5, 160.0, {}, 0.5 * 2**-0.07),
        (0.5, 40.0, {}, 0.5 * 2**0.07),
        (0.5, 40.0, {"alpha": 0.0, "beta": -1.0}, 0.5),
        (0.5, 160.0, {"alpha": 0.0, "beta": -1.0}, 0.25),
    ],
)
def test_the_reward_is_accuracy_times_a_power_of_latency_over_target(
    accuracy: float, latency: float, options: dict[str, float], reward: float
) -> None:
    """Tan et al. 2019, equation 2, with both pairs of exponents of figure 3."""
    assert mnas_reward(accuracy, latency, target=80.0, **options) == pytest.approx(reward)


@pytest.mark.craft("LW09")
@given(accuracy=st.floats(0.01, 1), latency=st.floats(1, 500), target=st.floats(1, 500), slower=st.floats(1.01, 10))
def test_slower_is_worth_less_and_twice_as_slow_five_percent(
    accuracy: float, latency: float, target: float, slower: float
) -> None:
    here = mnas_reward(accuracy, latency, target=target)
    assert mnas_reward(accuracy, latency * slower, target=target) < here
    assert mnas_reward(1.05 * accuracy, 2 * latency, target=target) == pytest.approx(here, rel=1e-3)


@pytest.mark.parametrize(("latency", "target"), [(0.0, 80.0), (-1.0, 80.0), (10.0, 0.0)])
def test_times_must_be_above_zero(latency: float, target: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        mnas_reward(0.5, latency, target=target)
