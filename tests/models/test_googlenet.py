"""GoogLeNet in both forms: counts, work, heads, its start."""

from typing import Any

import pytest
import torch
from torch import nn

from osler.models.googlenet import INCEPTION_3, INCEPTION_4, INCEPTION_5
from osler.models.head import find_head
from osler.models.registry import create_model
from osler.nn.inception import inception, v1
from osler.nn.local_response_norm import LocalResponseNorm
from osler.tasks.supervised import named_losses


def made(**options: Any) -> nn.Module:
    with torch.device("meta"):
        return create_model("googlenet", **options)


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.craft("AR08")
def test_parameters_are_those_of_the_networks_that_were_published() -> None:
    """6,998,552 has Caffe's bvlc_googlenet in use; 13,004,888 torchvision's with its heads."""
    model = made()
    heads = count(model.aux1) + count(model.aux2)
    assert count(model) - heads == 6_998_552
    assert heads == 6_379_728
    assert count(made(form="public")) == 13_004_888


def test_layers_before_the_head_count_as_in_the_authors_code() -> None:
    """TensorFlow-Slim asserts 5,607,184 for Inception v1: weights, and three values a channel of batch norm."""
    convs = [m for name, m in made(form="public").named_modules() if isinstance(m, nn.Conv2d) and "aux" not in name]
    assert sum(m.weight.numel() + 3 * m.out_channels for m in convs) == 5_607_184


@pytest.mark.craft("AR08")
def test_blocks_cost_what_table_1_says() -> None:
    """In million multiply-adds. Only 5a differs: the table's 54 are not those of its filters, which make 51."""
    channels, costs = 192, []
    for side, rows in ((28, INCEPTION_3), (14, INCEPTION_4), (7, INCEPTION_5)):
        for row in rows:
            with torch.device("meta"):
                block, out = inception(channels, v1(*row))
            costs.append(side**2 * sum(m.weight.numel() for m in block.modules() if isinstance(m, nn.Conv2d)) / 1e6)
            channels = out
    assert costs == pytest.approx([128, 304, 73, 88, 100, 119, 170, 51, 71], abs=1)
    assert channels == 1024


@pytest.mark.craft("AR08", "AR09")
def test_heads_add_two_losses_of_weight_03_in_training_and_none_in_evaluation() -> None:
    torch.manual_seed(0)
    model, labels = create_model("googlenet", num_classes=10, width=0.125), torch.tensor([1, 2])
    answer = model.train()(torch.randn(2, 3, 64, 64))
    losses = named_losses(answer, labels, 10, nn.functional.cross_entropy)
    each = [nn.functional.cross_entropy(raw, labels).item() for raw in answer]
    assert len(each) == 3
    assert losses["loss"].item() == pytest.approx(each[0])
    assert losses["aux_loss"].item() == pytest.approx(0.3 * (each[1] + each[2]))
    called: list[str] = []
    for name in ("aux1", "aux2"):
        model.get_submodule(name).register_forward_hook(lambda *_, name=name: called.append(name))
    assert model.eval()(torch.randn(2, 3, 64, 64)).shape == (2, 10)
    assert called == []
    assert find_head(model)[0] == "fc"


def test_the_forms_differ_where_the_header_says() -> None:
    def kinds(form: str) -> dict[type, int]:
        modules = list(made(form=form).modules())
        return {k: sum(isinstance(m, k) for m in modules) for k in (LocalResponseNorm, nn.BatchNorm2d, nn.Conv2d)}

    assert kinds("published") == {LocalResponseNorm: 2, nn.BatchNorm2d: 0, nn.Conv2d: 59}
    assert kinds("public") == {LocalResponseNorm: 0, nn.BatchNorm2d: 59, nn.Conv2d: 59}


@pytest.mark.parametrize("seed", range(3))
def test_the_published_form_starts_with_outputs_of_ordinary_size(seed: int) -> None:
    """By fan out, outputs would be in the hundreds, for the reductions multiply what comes in."""
    torch.manual_seed(seed)
    model = create_model("googlenet", num_classes=100, width=0.25).eval()
    with torch.no_grad():
        raw = model(torch.randn(4, 3, 96, 96))
    assert 0.05 < float(raw.std()) < 5


@pytest.mark.parametrize("form", ["published", "public"])
def test_the_small_stem_keeps_the_resolution(form: str) -> None:
    model = create_model("googlenet", num_classes=5, stem="small", form=form, width=0.125).eval()
    assert (model.input_size, model.minimum_size) == (32, 4)
    assert [m.stride for m in model.feature_maps] == [1, 2, 4]
    sizes = []
    for described in model.feature_maps:
        model.get_submodule(described.module).register_forward_hook(lambda _m, _i, y: sizes.append(tuple(y.shape[1:])))
    with torch.no_grad():
        model(torch.randn(1, 3, 32, 32))
        assert sizes == [(m.channels, 32 // m.stride, 32 // m.stride) for m in model.feature_maps]
        assert model(torch.randn(1, 3, 4, 4)).isfinite().all()
    assert len(model.train()(torch.randn(2, 3, 4, 4))) == 3
