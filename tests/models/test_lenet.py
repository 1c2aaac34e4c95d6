"""LeNet-5: the arithmetic that its paper prints, and digits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from osler.models.lenet import TABLE_I, LeNet5, ScaledTanh
from osler.models.registry import create_model


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def digits_at_32() -> tuple[Tensor, Tensor]:
    """scikit-learn's handwritten digits, 8x8, enlarged to 32x32 in [0, 1]; shuffled by a fixed order."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    small = torch.tensor(images[order], dtype=torch.float32).view(-1, 1, 8, 8) / 16
    return nn.functional.interpolate(small, size=(32, 32), mode="bilinear"), torch.tensor(labels[order])


def test_layers_of_1998_have_the_printed_parameters_and_connections() -> None:
    """LeCun et al. 1998, section II.B: trainable parameters and connections of C1 to F6."""
    net = LeNet5(num_classes=10, activation="scaled_tanh", pooling="trained", c3="table")
    counts = [parameters(layer) for layer in (net.c1, net.s2, net.c3, net.s4, net.c5, net.f6)]
    assert counts == [156, 12, 1_516, 32, 48_120, 10_164]
    assert sum(counts) == 60_000
    sizes: dict[str, int] = {}
    for name in ("c1", "s2", "c3", "s4", "c5"):
        net.get_submodule(name).register_forward_hook(
            lambda _m, _i, out, name=name: sizes.update({name: out[0, 0].numel()})
        )
    net(torch.zeros(1, 1, 32, 32))
    assert sizes == {"c1": 28 * 28, "s2": 14 * 14, "c3": 10 * 10, "s4": 5 * 5, "c5": 1}
    # Connections: every use of a weight or a bias; a pooling position uses four inputs and a bias.
    assert parameters(net.c1) * sizes["c1"] == 122_304
    assert 6 * sizes["s2"] * (4 + 1) == 5_880
    assert parameters(net.c3) * sizes["c3"] == 151_600
    assert 16 * sizes["s4"] * (4 + 1) == 2_000


def test_table_one_has_its_four_groups() -> None:
    assert [len(row) for row in TABLE_I] == [3] * 6 + [4] * 9 + [6]
    assert len(set(TABLE_I)) == 16, "no two maps of C3 see the same maps of S2"
    seen = [sum(column in row for row in TABLE_I) for column in range(6)]
    assert seen == [10] * 6, "every map of S2 is seen equally often"


def test_the_scaled_tanh_has_its_fixed_points() -> None:
    values = ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0, 100.0]))
    torch.testing.assert_close(values, torch.tensor([-1.0, 0.0, 1.0, 1.7159]), atol=1e-3, rtol=0)


@pytest.mark.craft("AR01")
def test_the_modern_form_has_61706_parameters_and_reads_digits() -> None:
    torch.manual_seed(0)
    net = create_model("lenet5", num_classes=10, in_channels=1)
    assert parameters(net) == 61_706
    assert [type(m) for m in net.children() if parameters(m)] == [nn.Conv2d] * 3 + [nn.Linear] * 2
    images, labels = digits_at_32()
    optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3)
    batches = [rows for _epoch in range(12) for rows in torch.randperm(1400).split(64)]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=len(batches))
    for rows in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images[rows]), labels[rows]).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        accuracy = (net.eval()(images[1400:]).argmax(1) == labels[1400:]).float().mean()
    assert accuracy >= 0.97


@pytest.mark.parametrize(
    "options", [{"activation": "scaled_tanh", "pooling": "trained", "c3": "table"}, {"pooling": "average"}]
)
def test_every_form_learns(options: dict[str, str]) -> None:
    torch.manual_seed(0)
    net = create_model("lenet5", num_classes=10, in_channels=1, **options)
    images, labels = digits_at_32()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    losses = []
    for _step in range(25):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images[:64]), labels[:64])
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 4


def test_padding_suits_pictures_of_28() -> None:
    net = create_model("lenet5", num_classes=10, in_channels=1, padding=2)
    assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_real_weights_fit_and_read_digits() -> None:
    """Weights trained on MNIST by others (see ../shared/data/weights) judge digits they never saw."""
    path = Path(__file__).parents[2].parent / "shared" / "data" / "weights" / "lenet5_mnist.pth"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    stored = torch.load(path, map_location="cpu", weights_only=True)
    net = create_model("lenet5", num_classes=10, in_channels=1).eval()
    net.load_state_dict({k.split(".", 1)[1].replace("f7", "output"): v for k, v in stored.items()})
    small = torch.tensor(load_digits().images, dtype=torch.float32)[:, None] / 16
    digit = nn.functional.interpolate(small, size=(20, 20), mode="bicubic").clamp(0, 1)  # MNIST's digits fill 20 of 28
    images = nn.functional.pad(digit, (6, 6, 6, 6))
    with torch.no_grad():
        accuracy = (net(images).argmax(1) == torch.tensor(load_digits().target)).float().mean()
    assert accuracy > 0.8
