"""The Inception networks: published counts, heads, residual additions."""

import pytest
import torch
from torch import nn

from osler.models.googlenet import GoogLeNet
from osler.models.registry import create_model
from osler.nn.inception import InceptionResidual


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.craft("AR08")
def test_googlenet_has_22_layers_on_its_way_and_three_answers_in_training() -> None:
    model = create_model("googlenet", num_classes=10, width=0.125)
    images = torch.randn(2, 3, 224, 224)
    assert [raw.shape for raw in model.train()(images)] == [(2, 10)] * 3
    assert isinstance(model.eval()(images), torch.Tensor)
    blocks = len(model.inception3) + len(model.inception4a) + len(model.inception4d) + len(model.inception4e)
    blocks += len(model.inception5)
    assert blocks == 9
    assert 3 + 2 * blocks + 1 == 22, "three convolutions, two layers deep in each block, one linear layer"


@pytest.mark.craft("AR08", "AR07")
def test_googlenets_maps_are_those_of_table_1() -> None:
    with torch.device("meta"):
        model = create_model("googlenet", num_classes=1000).eval()
        sizes: dict[str, tuple[int, ...]] = {}
        for name in ("conv1", "conv3", "inception3", "inception4a", "inception4e", "inception5"):
            model.get_submodule(name).register_forward_hook(
                lambda _m, _i, y, name=name: sizes.update({name: tuple(y.shape[1:])})
            )
        model(torch.zeros(1, 3, 224, 224))
    assert sizes == {
        "conv1": (64, 112, 112),
        "conv3": (192, 56, 56),
        "inception3": (480, 28, 28),
        "inception4a": (512, 14, 14),
        "inception4e": (832, 14, 14),
        "inception5": (1024, 7, 7),
    }


@pytest.mark.craft("AR12", "AR13")
def test_v4_has_no_residual_addition_and_inception_resnet_forty() -> None:
    with torch.device("meta"):
        plain = create_model("inception_v4", num_classes=1000)
        residual = create_model("inception_resnet_v2", num_classes=1000).eval()
        assert residual(torch.zeros(1, 3, 299, 299)).shape == (1, 1000)
    assert not [m for m in plain.modules() if isinstance(m, InceptionResidual)]
    scales = [m.scale for m in residual.modules() if isinstance(m, InceptionResidual)]
    assert scales == [0.17] * 10 + [0.1] * 20 + [0.2] * 9 + [1.0]
    assert count(residual) == 55_843_464, "as timm and Keras count it"


@pytest.mark.craft("AR11")
def test_v3_takes_299_pixels_and_ends_with_8x8_maps() -> None:
    with torch.device("meta"):
        model = create_model("inception_v3", num_classes=1000).eval()
        found: list[tuple[int, ...]] = []
        model.mixed7.register_forward_hook(lambda _m, _i, y: found.append(tuple(y.shape[1:])))
        assert model.input_size == 299
        assert model(torch.zeros(1, 3, 299, 299)).shape == (1, 1000)
    assert found == [(2048, 8, 8)]


def test_the_public_form_of_googlenet_has_3x3_where_the_paper_has_5x5() -> None:
    def sides(form: str) -> set[int]:
        with torch.device("meta"):
            model = GoogLeNet(10, form=form)
        return {m.kernel_size[0] for m in model.modules() if isinstance(m, nn.Conv2d)}

    assert sides("published") == {1, 3, 5, 7}
    assert sides("public") == {1, 3, 7}
