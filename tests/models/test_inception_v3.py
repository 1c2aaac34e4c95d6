"""Inception v3: the table's maps, its factorised kernels, its head."""

from typing import Any

import pytest
import torch
from torch import nn

from osler.models.head import find_head
from osler.models.registry import create_model


def made(**options: Any) -> nn.Module:
    with torch.device("meta"):
        return create_model("inception_v3", **options).eval()


def sizes(model: nn.Module, parts: list[str], side: int) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    for part in parts:
        model.get_submodule(part).register_forward_hook(lambda _m, _i, y: found.append(tuple(y.shape[1:])))
    model(torch.zeros(1, 3, side, side, device=next(model.parameters()).device))
    return found


@pytest.mark.craft("AR11")
def test_maps_from_299_pixels_have_the_sizes_of_table_1() -> None:
    """Szegedy et al. 2015; the stem's channels are those of the published model (80 and 192)."""
    parts = [f"stem.{i}" for i in range(7)] + ["mixed5.2", "mixed6.0", "mixed6.4", "mixed7.0", "mixed7.2"]
    assert sizes(made(), parts, 299) == [
        (32, 149, 149),
        (32, 147, 147),
        (64, 147, 147),
        (64, 73, 73),
        (80, 73, 73),
        (192, 71, 71),
        (192, 35, 35),
        (288, 35, 35),
        (768, 17, 17),
        (768, 17, 17),
        (1280, 8, 8),
        (2048, 8, 8),
    ]


@pytest.mark.craft("AR11", "LA11")
def test_kernels_of_seven_are_rows_and_columns_throughout() -> None:
    kernels = [m.kernel_size for m in made().modules() if isinstance(m, nn.Conv2d)]
    assert kernels.count((1, 7)) == kernels.count((7, 1)) == 4 * 3 + 1
    assert kernels.count((1, 3)) == kernels.count((3, 1)) == 2 * 2
    assert (7, 7) not in kernels


def test_layers_before_the_head_count_as_in_the_authors_code() -> None:
    """TensorFlow-Slim asserts 21,802,784 for Inception v3: weights, and three values a channel of batch norm."""
    convs = [m for name, m in made().named_modules() if isinstance(m, nn.Conv2d) and not name.startswith("aux")]
    assert sum(m.weight.numel() + 3 * m.out_channels for m in convs) == 21_802_784


def test_its_head_answers_in_training_only() -> None:
    model = create_model("inception_v3", num_classes=6, width=0.125)
    answers = model.train()(torch.randn(2, 3, 107, 107))
    assert [raw.shape for raw in answers] == [(2, 6), (2, 6)]
    assert model.eval()(torch.randn(2, 3, 107, 107)).shape == (2, 6)
    assert find_head(model)[0] == "fc"


def test_the_small_stem_keeps_the_resolution() -> None:
    model = create_model("inception_v3", num_classes=5, stem="small", width=0.125).eval()
    assert (model.input_size, model.minimum_size) == (32, 7)
    assert [side for _, side, _ in sizes(model, ["stem", "mixed5", "mixed6", "mixed7"], 32)] == [32, 32, 15, 7]
    assert model(torch.randn(1, 3, 7, 7)).isfinite().all()
    assert len(model.train()(torch.randn(2, 3, 7, 7))) == 2
    with pytest.raises(RuntimeError):
        model(torch.randn(2, 3, 6, 6))
