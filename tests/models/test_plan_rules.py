"""The grammar of classification networks and its six rules of thumb, against the known networks."""

import pytest
import torch
from torch import nn

from osler.models.plan_rules import RULES, judge_known, judge_model, judge_plan
from osler.models.registry import create_model

IN_A_ROW, FULLY, DOUBLING, STRIDE, KERNEL, POOL = RULES
PLAIN = "input32 | conv3-16 x2 maxpool2 | conv3-32 x3 maxpool2 | fc-100 fc-classes"

# What each known network breaks.
KNOWN = {
    "alexnet": {FULLY: "it has 3", DOUBLING: "96 to 256, 256 to 256", STRIDE: "conv11-96/4", KERNEL: "conv11-96/4"},
    "zfnet": {
        FULLY: "it has 3",
        DOUBLING: "96 to 256, 256 to 256",
        STRIDE: "conv7-96/2, conv5-256/2",
        KERNEL: "conv7-96/2",
    },
    "vgg11": {FULLY: "it has 3", DOUBLING: "512 to 512"},
    "vgg16": {FULLY: "it has 3", DOUBLING: "512 to 512"},
    "vgg16_c": {FULLY: "it has 3", DOUBLING: "512 to 512"},
    "vgg19": {IN_A_ROW: "4 in a row", FULLY: "it has 3", DOUBLING: "512 to 512"},
}


@pytest.mark.craft("LA32")
def test_each_known_plain_network_matches_and_breaks_its_own_rules() -> None:
    judged = judge_known(KNOWN)
    assert all(judgement.matches for judgement in judged.values())
    assert {name: judgement.broken for name, judgement in judged.items()} == KNOWN


@pytest.mark.craft("LA32")
def test_lenet_widens_by_more_than_two_and_keeps_the_other_rules() -> None:
    lenet = judge_model(create_model("lenet5", num_classes=10, in_channels=1), channels=1)
    assert lenet.matches
    assert lenet.broken == {DOUBLING: "6 to 16, 16 to 120"}


@pytest.mark.craft("LA32")
def test_networks_that_branch_or_end_in_maps_do_not_match() -> None:
    judged = judge_known(["nin_cifar10", "googlenet", "resnet18", "densenet121", "repvgg_a0"])
    assert not any(judgement.matches for judgement in judged.values())
    assert "no fully connected layer" in judged["nin_cifar10"].reason
    assert judged["nin_cifar10"].broken == {FULLY: "it has 0"}
    for name in ("googlenet", "resnet18", "densenet121", "repvgg_a0"):
        assert "is not plain" in judged[name].reason
        assert judged[name].plan is None


@pytest.mark.craft("LA32")
@pytest.mark.parametrize(
    ("change", "rule", "found"),
    [
        (("x3", "x4"), IN_A_ROW, "4 in a row"),
        (("fc-100", "fc-100 x2"), FULLY, "it has 3"),
        (("conv3-32", "conv3-33"), DOUBLING, "16 to 33"),
        (("conv3-16", "conv3-16/2"), STRIDE, "conv3-16/2, conv3-16/2"),
        (("conv3-16", "conv7-16"), KERNEL, "conv7-16, conv7-16"),
        (("x2 maxpool2", "x2 maxpool2/1"), POOL, "maxpool2/1"),
        (("x2 maxpool2", "x2 maxpool4"), POOL, "maxpool4"),
    ],
)
def test_each_rule_is_broken_alone(change: tuple[str, str], rule: str, found: str) -> None:
    assert judge_plan(PLAIN).broken == {}
    judgement = judge_plan(PLAIN.replace(*change))
    assert judgement.matches, "a rule of thumb is no part of the grammar"
    assert judgement.broken == {rule: found}


@pytest.mark.craft("LA32")
@pytest.mark.parametrize(
    ("text", "matches"),
    [
        (PLAIN, True),
        ("input8 conv3-8 fc-classes", True),
        ("input8 conv3-8 conv3-8 maxpool2 conv3-16 fc-classes", True),
        ("input8 conv3-8 gap fc-classes", True),
        ("input8 conv3-8 conv1-classes gap", False),
        ("input8 fc-100 fc-classes", False),
        ("input8 maxpool2 conv3-8 fc-classes", False),
        ("input8 conv3-8 maxpool2 maxpool2 fc-classes", False),
        ("input8 conv3-8 fc-10 conv3-8 fc-classes", False),
        ("conv3-8 fc-classes", False),
        ("a residual network", False),
    ],
)
def test_a_text_matches_the_grammar_or_is_told_why_not(text: str, matches: bool) -> None:
    judgement = judge_plan(text)
    assert judgement.matches == matches
    assert bool(judgement.reason) != matches
    assert str(judgement).startswith("match" if matches else "no match: ")


def test_a_persons_network_is_judged_by_what_it_does() -> None:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 3 * 3, 4)
    judgement = judge_model(nn.Sequential(*layers), size=8)
    assert judgement.matches
    assert str(judgement.plan) == "input8 | conv3-8 pad0 maxpool2 | fc-classes"
