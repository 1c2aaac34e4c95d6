"""RepVGG's block before and after re-parameterisation."""

from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osler.nn.rep_vgg import DeployedBlock, RepVGGBlock

shapes = st.fixed_dictionaries(
    {
        "in_channels": st.sampled_from([4, 8]),
        "out_channels": st.sampled_from([4, 8]),
        "stride": st.integers(1, 2),
        "groups": st.sampled_from([1, 2, 4]),
    }
)


def trained(block: RepVGGBlock, seed: int) -> RepVGGBlock:
    """Norms as after a training: every mean, variance, scale and shift its own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for norm in block.modules():
            if isinstance(norm, nn.BatchNorm2d):
                nn.init.normal_(norm.weight, 1.0, 0.5)
                nn.init.normal_(norm.bias)
                norm.running_mean.normal_()
                norm.running_var.uniform_(0.2, 3)
    return block.eval()


@pytest.mark.craft("AR22")
@settings(max_examples=25, deadline=None)
@given(shape=shapes, side=st.integers(1, 7), seed=st.integers(0, 99))
def test_one_convolution_gives_the_answers_of_three_branches(shape: dict[str, int], side: int, seed: int) -> None:
    block = trained(RepVGGBlock(**shape), seed)
    x = torch.randn(2, shape["in_channels"], side, side)
    single = block.deployed()
    assert [type(m) for m in single.children()] == [nn.Conv2d, nn.ReLU]
    scale = float(block(x).detach().abs().max()) or 1.0
    assert float((single(x) - block(x)).detach().abs().max()) < 1e-4 * scale
    double, x = block.double(), x.double()
    assert float((double.deployed()(x) - double(x)).detach().abs().max()) < 1e-9


@settings(max_examples=12, deadline=None)
@given(shape=shapes, side=st.integers(1, 7))
def test_the_deployed_form_has_the_shape_of_a_fresh_one(shape: dict[str, int], side: int) -> None:
    fresh, single = DeployedBlock(**shape), RepVGGBlock(**shape).deployed()
    assert {k: v.shape for k, v in fresh.state_dict().items()} == {k: v.shape for k, v in single.state_dict().items()}
    out = single(torch.randn(1, shape["in_channels"], side, side))
    assert out.shape == (1, shape["out_channels"], -(-side // shape["stride"]), -(-side // shape["stride"]))
    assert all(p.requires_grad for p in single.parameters())


@pytest.mark.craft("AR21")
def test_three_branches_where_the_shape_stays_and_two_where_it_changes() -> None:
    def norms(block: RepVGGBlock) -> int:
        return sum(isinstance(m, nn.BatchNorm2d) for m in block.modules())

    assert norms(RepVGGBlock(8, 8)) == 3
    assert norms(RepVGGBlock(8, 8, stride=2)) == 2
    assert norms(RepVGGBlock(8, 4)) == 2


@pytest.mark.craft("AR21")
def test_the_output_is_the_activated_sum_of_the_branches() -> None:
    block = trained(RepVGGBlock(4, 4), 1)
    x = torch.randn(2, 4, 5, 5)
    three, one = block.conv_kxk, block.conv_1x1
    branches = (
        three.bn(nn.functional.conv2d(x, three.conv.weight, padding=1)),
        one.bn(nn.functional.conv2d(x, one.conv.weight)),
        block.identity(x),
    )
    torch.testing.assert_close(block(x), sum(branches).relu())
    assert three.conv.weight.shape[2:] == (3, 3)
    assert one.conv.weight.shape[2:] == (1, 1)


def test_deploying_changes_neither_the_block_nor_random_numbers() -> None:
    block = trained(RepVGGBlock(4, 4), 2)
    before, state = deepcopy(block.state_dict()), torch.get_rng_state()
    single = block.deployed()
    with torch.no_grad():
        single.conv.weight.zero_()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in block.state_dict().items())
    assert not single.training


def test_the_deployed_form_keeps_precision_and_device() -> None:
    assert RepVGGBlock(4, 4).to(torch.bfloat16).eval().deployed().conv.weight.dtype is torch.bfloat16
    with torch.device("meta"):
        assert RepVGGBlock(4, 4).deployed().conv.weight.is_meta
