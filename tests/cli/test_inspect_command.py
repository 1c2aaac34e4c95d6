"""`osler inspect` as a person types it."""

import json
from pathlib import Path

import pytest
from command import Osler


def test_a_network_by_name(osler_: Osler) -> None:
    said = osler_("inspect", "resnet18")
    assert said.status == 0
    assert "1,814,073,344 for one picture" in said.out
    assert max(map(len, said.out.splitlines())) <= 100
    assert osler_.left() == []


def test_options_of_the_network_and_of_the_table(osler_: Osler) -> None:
    said = osler_("inspect", "resnet18", "width=0.5", "--size", "64x96", "--classes", "7", "--depth", "1", "--worked")
    assert "for an input of 3x64x96" in said.out
    assert "(64 - 7 + 2·3)/2 + 1 = 32.5, rounded down: 32" in said.out
    assert " 7 " in said.out
    assert "layer4.0" not in said.out.split("parameters")[0]


def test_files(osler_: Osler) -> None:
    said = osler_("inspect", "lenet5", "--json", "a.json", "--markdown", "a.md", "--svg", "a.svg")
    assert said.status == 0
    assert osler_.left() == ["a.json", "a.md", "a.svg"]
    assert json.loads((osler_.folder / "a.json").read_text())["name"] == "lenet5"
    assert (osler_.folder / "a.svg").read_text().startswith("<svg")


def test_json_on_standard_output_is_json_alone(osler_: Osler) -> None:
    assert json.loads(osler_("inspect", "lenet5", "--json", "-").out)["totals"]["biases"] == 6 + 16 + 120 + 84 + 1000


def test_estimates_are_marked_as_such(osler_: Osler) -> None:
    said = osler_("inspect", "resnet18", "--on", "coral", "--on", "jetson*")
    assert "Estimates" in said.out
    assert "Jetson Nano" in said.out
    assert "data sheet" in said.out


def test_a_persons_network_and_a_run(osler_: Osler, trained: Path) -> None:
    (osler_.folder / "my_net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self, num_classes=3, in_channels=3):\n"
        "        super().__init__(nn.Conv2d(in_channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),"
        " nn.Linear(4, num_classes))\n"
    )
    said = osler_("inspect", "my_net.py:Net", "--size", "20", "--classes", "9", "--channels", "1")
    assert "Net for an input of 1x20x20" in said.out
    run = osler_("inspect", trained)
    assert run.status == 0
    assert "convnet for an input of 3x" in run.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["restnet18"], "Did you mean 'resnet18'?"),
        (["resnet18", "--size", "big"], "--size is a side"),
        (["resnet18", "--size", "0"], "--size is a side"),
        (["vgg16", "--size", "31"], "the map is 1x1 before features.30 (MaxPool2d)"),
        (["resnet18", "wdth=2"], "no option 'wdth'"),
        (["resnet18", "wide"], "key=value"),
        (["resnet18", "--on", "corel"], "coral"),
        (["runs/none"], "runs/none"),
        (["nothing.py:Net"], "no such file"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(osler_: Osler, words: list[str], message: str) -> None:
    assert message in osler_("inspect", *words).refusal()
    assert osler_.left() == []


def test_options_within_an_option(osler_: Osler) -> None:
    words = ["backbone.name=resnet18", "backbone.options.width=0.125", "channels=16", "--size", "96", "--classes", "2"]
    said = osler_("inspect", "retinanet_light", *words, "--json", "-")
    assert json.loads(said.out)["totals"]["parameters"] < 500_000
    refused = osler_("inspect", "retinanet_light", "channels=16", "channels.x=1")
    assert refused.status == 2
    assert "no options of its own" in refused.err
