"""RepVGG: its plan, the published counts, and the deployed form of whole networks."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from osler.models.cost import multiply_adds
from osler.models.deployed import deployed
from osler.models.registry import create_model, feature_maps
from osler.nn.rep_vgg import DeployedBlock, RepVGGBlock

# Ding et al. 2021, tables 4 and 5: parameters of the deployed networks in millions, cut off behind two digits. The paper
# has no row for B2g2 and B3g2.
PUBLISHED = {
    "a0": 8.30,
    "a1": 12.78,
    "a2": 25.49,
    "b0": 14.33,
    "b1": 51.82,
    "b1g2": 41.36,
    "b1g4": 36.12,
    "b2": 80.31,
    "b2g4": 55.77,
    "b3": 110.96,
    "b3g4": 75.62,
}


def trained(model: nn.Module, seed: int = 0) -> nn.Module:
    """Norms as after a training: every mean, variance, scale and shift its own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for norm in model.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.weight.data.uniform_(0.5, 1.5)
                norm.bias.data.normal_(std=0.3)
                norm.running_mean.normal_(std=0.3)
                norm.running_var.uniform_(0.3, 3)
    return model.eval()


def convolutions(model: nn.Module) -> list[nn.Conv2d]:
    return [m for m in model.modules() if isinstance(m, nn.Conv2d)]


@pytest.mark.parametrize("kind", PUBLISHED)
def test_deployed_networks_have_the_papers_parameters(kind: str) -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in create_model(f"repvgg_{kind}", deployed=True).parameters())
    assert 0 <= count / 1e6 - PUBLISHED[kind] < 0.0101


@pytest.mark.craft("AR21")
@pytest.mark.parametrize(("kind", "layers"), [("a0", 22), ("b0", 28)])
def test_layers_stages_and_halvings_are_the_papers(kind: str, layers: int) -> None:
    """Section 3.4 and table 2: five stages of 1, 2, 4, 14, 1 (A) or 1, 4, 6, 16, 1 (B) layers, each begun by a stride of 2."""
    model = create_model(f"repvgg_{kind}", width=0.125)
    blocks = [m for m in model.modules() if isinstance(m, RepVGGBlock)]
    assert len(blocks) == layers
    strided = [i for i, block in enumerate(blocks) if block.conv_kxk.conv.stride == (2, 2)]
    assert len(strided) == 5
    depths = [later - first for first, later in zip(strided, [*strided[1:], layers], strict=True)]
    assert depths == {"a0": [1, 2, 4, 14, 1], "b0": [1, 4, 6, 16, 1]}[kind]
    assert all(isinstance(block.act, nn.ReLU) for block in blocks)
    assert [m.stride for m in feature_maps(model)] == [4, 8, 16, 32]


@pytest.mark.craft("AR21")
def test_the_deployed_body_is_3x3_convolutions_and_relu() -> None:
    model = create_model("repvgg_a0", width=0.125, deployed=True)
    body = [m for part in (model.stem, model.stages) for m in part.modules() if not list(m.children())]
    assert [type(m) for m in body] == [nn.Conv2d, nn.ReLU] * 22
    assert {m.kernel_size for m in convolutions(model)} == {(3, 3)}


@pytest.mark.parametrize(("kind", "groups"), [("b1g2", 2), ("b1g4", 4)])
def test_every_second_layer_from_the_third_on_has_groups(kind: str, groups: int) -> None:
    """Section 3.4: the 3rd, 5th, 7th ... layer, and the 27th of B."""
    model = create_model(f"repvgg_{kind}", width=0.125, deployed=True)
    found = [conv.groups for conv in convolutions(model)]
    assert found == [groups if layer % 2 == 1 and layer > 1 else 1 for layer in range(1, 29)]


@pytest.mark.craft("AR22")
@pytest.mark.parametrize("kind", ["a0", "b1g2", "b1g4"])
def test_both_forms_answer_the_same(kind: str) -> None:
    model = trained(create_model(f"repvgg_{kind}", num_classes=7, width=0.125))
    images = torch.randn(2, 3, 64, 64)
    single = deployed(model)
    with torch.no_grad():
        answers = model(images)
        assert float((single(images) - answers).abs().max()) < 1e-4 * float(answers.std())
        model, images = model.double(), images.double()
        assert float((deployed(model)(images) - model(images)).abs().max()) < 1e-9


@pytest.mark.craft("AR22")
def test_deploying_takes_branches_norms_and_multiply_adds_away() -> None:
    model = create_model("repvgg_a0", num_classes=7, width=0.125)
    single = deployed(model)
    assert not any(isinstance(m, (RepVGGBlock, nn.BatchNorm2d)) for m in single.modules())
    assert len(convolutions(model)) == 2 * len(convolutions(single)) == 44
    three, one = (multiply_adds(m, 3, (64, 64)) for m in (model, single))
    head = 7 * model.head.fc.in_features
    assert (three - head) * 9 == (one - head) * 10, "a 1x1 kernel beside each 3x3 kernel"


def test_deployed_weights_load_into_the_deployed_shape() -> None:
    model = trained(create_model("repvgg_b1g4", num_classes=7, width=0.125))
    fresh = create_model("repvgg_b1g4", num_classes=7, width=0.125, deployed=True).eval()
    single = deployed(model)
    fresh.load_state_dict(single.state_dict())
    images = torch.randn(1, 3, 40, 40)
    with torch.no_grad():
        assert torch.equal(fresh(images), single(images))
    assert feature_maps(fresh) == feature_maps(model) == feature_maps(single)


def test_the_original_stays_as_it_is() -> None:
    model = create_model("repvgg_a0", num_classes=7, width=0.125).train()
    before, random = deepcopy(model.state_dict()), torch.get_rng_state()
    single = deployed(model)
    with torch.no_grad():
        for parameter in single.parameters():
            parameter.zero_()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(m.training for m in model.modules())
    assert not any(m.training for m in single.modules())
    assert torch.equal(torch.get_rng_state(), random)


def test_blocks_are_found_wherever_they_stand() -> None:
    """In another module tree, and as the whole of one; plain pairs of convolution and norm are folded too."""
    tree = trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ModuleDict({"a": RepVGGBlock(4, 4)})["a"]))
    images = torch.randn(2, 3, 8, 8)
    single = deployed(tree)
    assert [type(m) for m in single] == [nn.Conv2d, nn.Identity, DeployedBlock]
    torch.testing.assert_close(single(images), tree(images), rtol=1e-4, atol=1e-5)
    assert isinstance(deployed(RepVGGBlock(4, 4)), DeployedBlock)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_other_networks_lose_their_norms(name: str) -> None:
    model = trained(create_model(name, num_classes=7, width=0.125)).double()
    images = torch.randn(1, 3, 64, 64).double()
    single = deployed(model)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in single.modules())
    with torch.no_grad():
        torch.testing.assert_close(single(images), model(images), rtol=1e-9, atol=1e-9)


def test_the_small_stem_keeps_the_resolution() -> None:
    model = create_model("repvgg_a0", num_classes=7, width=0.125, stem="small")
    assert [m.stride for m in feature_maps(model)] == [1, 2, 4, 8]
    assert model.input_size == 32
