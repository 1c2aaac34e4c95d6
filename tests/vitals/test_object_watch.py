"""Objects are found in what loaders give in every usual form, other targets are not taken for them, and nothing is changed."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from osler.vitals.anchors_seen import anchors_of, strides_of
from osler.vitals.object_targets import targets_in
from osler.vitals.watch import Watch

PICTURES = torch.zeros(2, 3, 32, 48)
BOXES = torch.tensor([[1.0, 2.0, 11.0, 12.0], [0.0, 0.0, 48.0, 32.0]])
ROWS = torch.tensor([[0.0, 1, 0.5, 0.5, 0.25, 0.5], [1.0, 0, 0.3, 0.2, 0.1, 0.1]])


@pytest.mark.parametrize(
    "batch",
    [
        (PICTURES, [{"boxes": BOXES}, {"boxes": BOXES[:0]}]),
        (list(PICTURES), ({"bboxes": BOXES.numpy()}, {"bboxes": BOXES[:0].numpy()})),
        {"image": PICTURES, "boxes": [BOXES, BOXES[:0]], "labels": [torch.ones(2).long(), torch.ones(0).long()]},
        {"pixel_values": PICTURES, "labels": [{"boxes": BOXES}, {"boxes": BOXES[:0]}]},
    ],
)
def test_dictionaries_are_found_with_their_pictures_sizes(batch: object) -> None:
    found = targets_in(batch)
    assert found is not None
    assert found.form == "dictionaries"
    assert [len(t["boxes"]) for t in found.targets] == [2, 0]
    assert found.sizes == [(32, 48), (32, 48)]


@pytest.mark.parametrize("target", [ROWS, [ROWS[:1, 1:], ROWS[1:, 1:]], torch.stack([ROWS[:1, 1:], ROWS[1:, 1:]])])
def test_tables_are_found_beside_pictures(target: object) -> None:
    found = targets_in((PICTURES, target))
    assert found is not None
    assert found.form == "rows"
    assert [t["labels"].tolist() for t in found.targets] == [[1], [0]]
    np.testing.assert_allclose(found.targets[1]["boxes"], [[0.3, 0.2, 0.1, 0.1]], rtol=1e-6)


@pytest.mark.parametrize(
    "batch",
    [
        (PICTURES, torch.tensor([1, 0])),
        (PICTURES, torch.eye(6)[:2]),  # one of six classes
        (PICTURES, torch.tensor([[0.0, 1, 0, 1, 1, 0], [1.0, 1, 0, 0, 1, 1]])),  # several of six
        (PICTURES, torch.randn(2, 6, generator=torch.Generator().manual_seed(0))),  # six numbers to be predicted
        (PICTURES, torch.rand(2, 32, 48)),
        (torch.rand(2, 6), torch.rand(2, 6)),
        (PICTURES, [{"mask": BOXES}, {"mask": BOXES}]),
        (PICTURES, [{"boxes": [1, 2]}, {"boxes": [3]}]),
        [],
    ],
)
def test_other_targets_are_no_objects(batch: object) -> None:
    assert targets_in(batch) is None


class _Lossy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.strides = nn.Conv2d(1, 4, 8, stride=8), (8, 16)
        self.drop = nn.Dropout(0.2)
        self.register_buffer("anchors", torch.tensor([[8.0, 9.0], [20.0, 12.0]]))

    def forward(self, pictures: Tensor, targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        said = self.drop(self.body(pictures)).mean((2, 3))
        wanted = torch.stack([t["boxes"].sum(0) / 64 for t in targets])
        return {"box": (said - wanted).square().mean()}


def _train() -> list[Tensor]:
    torch.manual_seed(0)
    items = [
        (torch.randn(1, 16, 16), {"boxes": torch.rand(k % 3, 4), "masks": torch.ones(k % 3, 16, 16)}) for k in range(12)
    ]
    net, losses = _Lossy(), []
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    together = lambda batch: (torch.stack([x for x, _ in batch]), [t for _, t in batch])  # noqa: E731
    for _ in range(2):
        for pictures, targets in DataLoader(items, 4, shuffle=True, collate_fn=together):  # type: ignore[arg-type]
            loss = net(pictures, targets)["box"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
    return [*losses, *net.state_dict().values(), torch.get_rng_state(), *(t["boxes"] for _, t in items)]


def test_a_detectors_training_is_the_same_with_the_watch() -> None:
    plain = _train()
    with Watch() as watch:
        watched = _train()
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))
    objects = watch.evidence.objects
    assert objects is not None
    assert watch.state.troubles == {}
    assert len([p for p in objects.pictures if p.by == "call"]) == 12  # the first pass only
    assert sum(len(p.boxes) for p in objects.pictures if p.by == "call") == 12
    assert objects.anchors[0].shapes.tolist() == [[8, 9], [20, 12]]
    assert objects.strides == (8, 16)


def test_the_anchors_and_strides_of_our_detectors_are_known() -> None:
    from osler.models.registry import create_model

    net = create_model(
        "faster_rcnn_light",
        num_classes=2,
        backbone={"name": "mobilenet_v3_small", "options": {"width": 0.125}},
        channels=16,
    )
    anchors = anchors_of(net)
    assert [(a.unit, a.positive, a.low_quality, len(a.shapes)) for a in anchors] == [("pixels", 0.7, True, 12)]
    sides = np.sqrt(anchors[0].shapes.prod(1))
    np.testing.assert_allclose(np.unique(sides.round(6)), [24, 48, 96, 192])
    assert strides_of(net) == (8, 16, 32, 64)
