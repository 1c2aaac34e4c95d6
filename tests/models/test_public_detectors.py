"""torchvision's detectors are ours under other names: keys, shapes and parameters of the reference, and files of them."""

import json
import re
import zlib
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from osler.models.public_names import PublicNetwork, find_public, published
from osler.models.registry import create_model, list_detectors
from osler.structures.errors import CheckpointError

FACTS = Path(__file__).parents[2].parent / "shared" / "reference" / "detection.json"
NAMES = ("fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn", "ssd300_vgg16")
CLASSES = 90  # of COCO's numbering, some of them empty

needs_facts = pytest.mark.skipif(not FACTS.is_file(), reason=f"{FACTS} is not there: the facts of public detectors")


@cache
def facts() -> dict[str, dict]:
    return json.loads(FACTS.read_text(encoding="utf-8"))


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    return {key: tuple(shape) for key, shape in facts()[f"torchvision/{name}"]["state"]}


def number(key: str) -> float:
    """A value that tells the tensors of a file apart."""
    return zlib.crc32(key.encode()) / 2**32


def state(name: str) -> dict[str, Tensor]:
    """A state of the published shapes that takes no room: each tensor holds one number everywhere."""
    return {key: torch.tensor(number(key)).expand(shape) for key, shape in shapes(name).items()}


def older(key: str) -> str:
    """The key of the files that torchvision published before it gave blocks a number of their own."""
    key = re.sub(r"(fpn\.(?:inner|layer)_blocks\.\d)\.0\.", r"\1.", key)
    key = key.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
    key = re.sub(r"mask_head\.(\d)\.0\.", lambda m: f"mask_head.mask_fcn{int(m[1]) + 1}.", key)
    return re.sub(r"(_head\.conv)\.(\d)\.0\.", lambda m: f"{m[1]}.{2 * int(m[2])}.", key)


def on_meta(public: PublicNetwork, **options: object) -> nn.Module:
    with torch.device("meta"):
        return create_model(public.network, num_classes=CLASSES, **public.options, **options)


def test_they_are_listed_beside_the_classifiers() -> None:
    detectors = {p.name: p.network for p in published() if p.network in list_detectors()}
    assert set(NAMES) <= set(detectors)


@needs_facts
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("names_of", [str, older], ids=["today", "older"])
def test_keys_shapes_and_parameters_are_theirs(name: str, names_of: object) -> None:
    public = find_public("torchvision", name)
    model = on_meta(public)
    ours = {k: tuple(v.shape) for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    theirs = {public.key(names_of(key)): shape for key, shape in shapes(name).items()}
    assert len(theirs) == len(shapes(name)), "two of their keys are one of ours"
    assert ours == theirs
    assert sum(p.numel() for p in model.parameters()) == facts()[f"torchvision/{name}"]["parameters"]


@needs_facts
@pytest.mark.parametrize("name", [n for n in NAMES if "resnet" in n])
def test_with_frozen_norms_the_keys_stay_and_their_numbers_are_no_parameters(name: str) -> None:
    public = find_public("torchvision", name)
    model = on_meta(public, backbone={"frozen_norms": True})
    assert set(model.state_dict()) == {public.key(key) for key in shapes(name)}
    norms = [shape for key, shape in shapes(name).items() if re.search(r"(bn\d|downsample\.1)\.(weight|bias)$", key)]
    trained = facts()[f"torchvision/{name}"]["parameters"] - sum(shape[0] for shape in norms)
    assert sum(p.numel() for p in model.parameters()) == trained


@needs_facts
@pytest.mark.parametrize(("name", "rename"), [("fasterrcnn_resnet50_fpn", str), ("retinanet_resnet50_fpn", older)])
def test_a_file_of_theirs_fills_ours(tmp_path: Path, name: str, rename: object) -> None:
    public = find_public("torchvision", name)
    torch.save({rename(key): value for key, value in state(name).items()}, tmp_path / "coco.pth")
    model = create_model(public.network, num_classes=CLASSES, weights=f"torchvision:{tmp_path / 'coco.pth'}")
    ours = model.state_dict()
    for key in shapes(name):
        value = ours[public.key(key)]
        assert bool((value == torch.tensor(number(key))).all()), key


@needs_facts
def test_another_number_of_classes_starts_only_what_tells_classes_apart_anew(tmp_path: Path) -> None:
    torch.save(state("ssd300_vgg16"), tmp_path / "coco.pth")
    model = create_model("ssd300", num_classes=3, weights=f"torchvision:{tmp_path / 'coco.pth'}")
    public = find_public("torchvision", "ssd300_vgg16")
    same = {key: model.state_dict()[public.key(key)] for key in shapes("ssd300_vgg16")}
    new = {key for key, value in same.items() if not bool((value == torch.tensor(number(key))).all())}
    assert new == {key for key in same if "classification_head" in key}
    assert all(float(value.detach().std()) > 0 for key, value in same.items() if key in new and key.endswith("weight"))


@needs_facts
def test_a_file_of_another_detector_is_refused(tmp_path: Path) -> None:
    torch.save(state("ssd300_vgg16"), tmp_path / "coco.pth")
    with pytest.raises(CheckpointError, match=r"missing.*unexpected.*Nothing was loaded"):
        create_model("retinanet", num_classes=3, weights=f"torchvision:{tmp_path / 'coco.pth'}")
