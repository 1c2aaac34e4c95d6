"""The verb: networks by name, plan, file and run; samples given, read and drawn; what it writes."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

import osler
from osler.structures.errors import DataError, RecipeError

PLAN = "input6 | conv3-2 bn maxpool2 | fc-classes"


def test_a_plan_is_worked_and_written_in_every_form(tmp_path: Path) -> None:
    files = [tmp_path / f"page{ending}" for ending in (".html", ".tex", ".txt")]
    worked = osler.worked_backpropagation(PLAN, out=files)
    assert worked.agrees
    assert [s.kind.split("(")[0] for s in worked.steps if s.kind][:4] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
    assert files[2].read_text(encoding="utf-8") == str(worked)
    assert "<math" in files[0].read_text(encoding="utf-8")
    assert r"\begin{document}" in files[1].read_text(encoding="utf-8")


def test_names_take_their_options_and_the_seed_decides() -> None:
    made: dict[str, Any] = {"widths": (2, 3), "depth": 1, "elements": 2}
    one, same, other = (osler.worked_backpropagation("convnet", seed=s, **made) for s in (0, 0, 1))
    assert one.agrees
    assert one.network == "convnet"
    assert str(one) == str(same)
    assert one.loss != other.loss
    assert "batch over" not in one.text()
    assert "remembered" in osler.worked_backpropagation("convnet", training=False, **made).text()


def test_a_persons_own_network_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "my_net.py"
    file.write_text(
        "from torch import nn\n\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self, num_classes=3, in_channels=1):\n"
        "        super().__init__(nn.Conv2d(in_channels, 2, 3), nn.Sigmoid(), nn.Flatten(), nn.Linear(32, num_classes))\n"
    )
    worked = osler.worked_backpropagation(f"{file}:Net", target=[0, 2], elements=2)
    assert worked.agrees
    assert worked.network == "Net"


def test_a_network_in_hand_keeps_its_mode_and_dropout_drops_only_when_asked() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Tanh(), nn.Linear(4, 2)).eval()
    sample = torch.randn(2, 3)
    still = osler.worked_backpropagation(net, sample, torch.zeros(2, 2), loss="mse", elements=2)
    dropped = osler.worked_backpropagation(net, sample, torch.zeros(2, 2), loss="mse", dropout=True, elements=2)
    assert (len(still.steps), len(dropped.steps)) == (3, 4)
    assert still.agrees
    assert dropped.agrees
    assert not any(m.training for m in net.modules())
    assert osler.worked_backpropagation(net, loss="binary_cross_entropy", elements=2).values[0].shape == (2, 3)


def test_pictures_are_read_and_standardised(tmp_path: Path) -> None:
    for i, grey in enumerate((0, 255)):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((9, 12), grey, np.uint8))
    paths = [tmp_path / "0.png", tmp_path / "1.png"]
    worked = osler.worked_backpropagation(PLAN, paths, [0, 1], elements=2)
    assert worked.values[0].shape == (2, 1, 6, 6)
    assert worked.values[0][0].unique().item() == pytest.approx(-1)
    assert worked.values[0][1].unique().item() == pytest.approx(1)


@pytest.mark.parametrize(
    ("model", "given", "error", "says"),
    [
        ("resnet50", {}, RecipeError, "every one of them would be written down"),
        (PLAN, {"out": "page.pdf"}, RecipeError, "written as .html, .tex or .txt"),
        (PLAN, {"sample": "none.png"}, DataError, "none.png cannot be read"),
        (PLAN, {"sample": torch.randn(2, 3, 6, 6)}, DataError, "does not take a sample of .2, 3, 6, 6."),
        (PLAN, {"target": [5, 0]}, DataError, "a class from 0"),
        (PLAN, {"size": 0}, RecipeError, "size of a picture"),
        (PLAN, {"loss": "hinge"}, DataError, "no worked loss 'hinge'"),
        (nn.Linear(2, 2), {"width": 2}, RecipeError, "Options .width. are for a network given by its name"),
    ],
)
def test_what_cannot_be_done_is_said(model: Any, given: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        osler.worked_backpropagation(model, **given)
