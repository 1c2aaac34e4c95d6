"""Estimates of latency: the arithmetic of the roofline, and a table of devices in which every number has a source."""

import pytest
import torch
from torch import nn

from osler.anatomy.inspecting import inspect_network
from osler.anatomy.layer import Anatomy
from osler.anatomy.roofline import WIDTHS, Device, devices, estimated, find_device
from osler.models.registry import create_model
from osler.structures.errors import UnknownNameError


def device(rate: float, bandwidth: float, on_chip: float = 0.0) -> Device:
    return Device("toy", "Toy", "toy", {"fp32": rate}, bandwidth, "made up", on_chip)


def layer() -> Anatomy:
    """One convolution: 2 * 1,728 * 64 operations; 300 + 216 + 512 values, 4 bytes each, moved."""
    return inspect_network(nn.Sequential(nn.Conv2d(3, 8, 3, bias=False)), (3, 10, 10))


def test_a_layer_takes_the_longer_of_computing_and_moving() -> None:
    operations, values = 2 * 8 * 64 * 27, 300 + 216 + 512
    compute = estimated(layer(), device(rate=1e6, bandwidth=1e15))
    assert compute.by_layer == compute.fused == pytest.approx(operations / 1e6)
    assert compute.computing == 1.0
    move = estimated(layer(), device(rate=1e15, bandwidth=1e6))
    assert move.by_layer == pytest.approx(4 * values / 1e6)
    assert move.computing == 0.0
    assert move.slowest == ("0",)


def test_norms_and_activations_cost_nothing_where_they_are_fused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    estimate = estimated(inspect_network(model, (3, 10, 10)), device(rate=1e9, bandwidth=1e6))
    bare = estimated(inspect_network(model[:1], (3, 10, 10)), device(rate=1e9, bandwidth=1e6))
    assert estimate.fused == pytest.approx(bare.fused)
    norm, relu = 4 * (2 * 512 + 16) / 1e6, 4 * (2 * 512) / 1e6
    assert estimate.by_layer == pytest.approx(bare.by_layer + norm + relu)


def test_weights_that_find_no_room_on_the_chip_come_over_the_link() -> None:
    roomy = estimated(layer(), device(rate=1e9, bandwidth=1e3, on_chip=1e6))
    assert roomy.fits
    full = estimated(layer(), device(rate=1e9, bandwidth=1e3, on_chip=400))
    assert not full.fits
    assert full.fused - roomy.fused == pytest.approx((4 * 216 - 400) / 1e3)


def test_a_larger_network_takes_longer_on_every_device() -> None:
    with torch.device("meta"):
        small, large = (inspect_network(create_model(name), (3, 224, 224)) for name in ("resnet18", "resnet152"))
    for one in devices().values():
        for precision in one.rates:
            less, more = (estimated(a, one, precision=precision) for a in (small, large))
            assert 0 < less.fused < more.fused
            assert less.fused <= less.by_layer


def test_every_device_says_whence_its_numbers_are() -> None:
    known = devices()
    assert {d.kind for d in known.values()} >= {"desktop GPU", "embedded GPU", "phone NPU", "edge accelerator"}
    for one in known.values():
        assert len(one.source) > 20
        assert one.rates.keys() <= WIDTHS.keys()
        assert one.bandwidth > 0
        assert list(one.rates.values()) == sorted(one.rates.values())  # fewer bits are no slower


def test_devices_are_found_by_name_and_pattern() -> None:
    assert [d.name for d in find_device("t4")] == ["t4"]
    assert {d.name for d in find_device("jetson*")} == {"jetson-nano", "jetson-orin-nano", "jetson-agx-orin"}
    assert len(find_device("all")) == len(devices())
    with pytest.raises(UnknownNameError, match="coral"):
        find_device("corel")
    with pytest.raises(UnknownNameError, match="int8"):
        estimated(layer(), devices()["coral"], precision="fp32")
