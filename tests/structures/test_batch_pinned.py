"""To a CUDA device a batch goes through pinned memory, without waiting; elsewhere it is left alone."""

from typing import Any

import pytest
import torch
from torch import Tensor

from osler.structures.batch import Batch, move


@pytest.mark.parametrize(("device", "pinned"), [("cuda", 3), ("cuda:1", 3), (torch.device("cuda"), 3), ("cpu", 0)])
def test_tensors_on_their_way_to_a_cuda_device_are_pinned(
    monkeypatch: pytest.MonkeyPatch, device: Any, pinned: int
) -> None:
    calls: list[tuple[Any, bool]] = []
    pins: list[Tensor] = []
    monkeypatch.setattr(Tensor, "pin_memory", lambda self: pins.append(self) or self)
    monkeypatch.setattr(Tensor, "to", lambda self, to, non_blocking=False: calls.append((to, non_blocking)) or self)
    batch = Batch(torch.zeros(2, 3, 4, 4), [torch.zeros(1), "word"], torch.arange(2))
    move(batch, device)
    assert len(pins) == pinned
    assert calls == [(device, True)] * 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_the_values_arrive() -> None:
    batch = Batch(torch.rand(2, 3, 4, 4), {"a": torch.arange(5)}, torch.arange(2))
    moved = batch.to("cuda")
    assert moved.images.device.type == moved.target["a"].device.type == "cuda"
    assert torch.equal(moved.images.cpu(), batch.images)
    assert torch.equal(moved.target["a"].cpu(), batch.target["a"])
