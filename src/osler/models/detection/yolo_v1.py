"""YOLO v1 (Redmon et al. 2016, "You only look once: unified, real-time object detection", arXiv 1506.02640).

| detector | backbone | grid | boxes a cell | pictures | parameters with 90 classes |
| --- | --- | --- | --- | --- | --- |
| yolo_v1 | resnet50 | 7 x 7 | 2 | 448 | 296,298,340 |
| yolo_v1_light | mobilenet_v3_large | 10 x 10 | 2 | 320 | 13,083,712 |

The first detector of one stage: the whole picture is seen by fully connected layers, which give S x S x (5B + C) numbers at
once. On top of the backbone come four convolutions and two fully connected layers, as in section 2.2, where the backbone were
the first twenty layers of a network of the authors' own; without norms, leaky. The light one has norms, a finer grid and
narrower layers.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.detection.backbone import BackboneOption, make_backbone
from osler.models.detection.dense_head import Answers
from osler.models.detection.grid_reading import NUMBERS, GridReading
from osler.models.detection.one_stage import OneStageDetector
from osler.models.registry import detectors
from osler.nn.initialisation import he_initialise

LEAK = 0.1  # section 2.2


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a detector of this family is, and for which pictures."""

    backbone: str
    strides: tuple[int, ...]  # of the convolutions on top
    width: int  # their channels
    hidden: int  # units of the first fully connected layer
    normed: bool  # batch norm after each convolution
    grid: int
    input_size: int


FULL = Scale("resnet50", (1, 2, 1, 1), 1024, 4096, normed=False, grid=7, input_size=448)
LIGHT = Scale("mobilenet_v3_large", (1, 1), 96, 512, normed=True, grid=10, input_size=320)


class GridHead(nn.Module):
    """Convolutions, and two fully connected layers that see all of the map.

    Args:
        channels: of the map.
        scale: of the layers.
        grid: cells along each side.
        boxes: of each cell.
        num_classes: of each cell.
        dropout: share of the hidden units that are dropped in training.
    """

    def __init__(
        self, channels: int, scale: Scale, grid: int, boxes: int, num_classes: int, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.grid, self.boxes, self.num_classes = grid, boxes, num_classes
        layers: list[nn.Module] = []
        for i, stride in enumerate(scale.strides):
            before = channels if i == 0 else scale.width
            layers.append(nn.Conv2d(before, scale.width, 3, stride, padding=1, bias=not scale.normed))
            layers += [nn.BatchNorm2d(scale.width)] if scale.normed else []
            layers.append(nn.LeakyReLU(LEAK))
        self.convolutions = nn.Sequential(*layers)
        self.average = nn.AdaptiveAvgPool2d(grid)  # changes nothing at the published size
        self.hidden = nn.Linear(scale.width * grid**2, scale.hidden)
        self.act, self.dropout = nn.LeakyReLU(LEAK), nn.Dropout(dropout)
        self.cells = nn.Linear(scale.hidden, grid**2 * (NUMBERS * boxes + num_classes))
        he_initialise(self)

    def forward(self, levels: list[Float[Tensor, "batch channels height width"]], picture: tuple[int, int]) -> Answers:
        """What is said of pictures of that height and width."""
        seen = self.average(self.convolutions(levels[-1])).flatten(1)
        cells = self.cells(self.dropout(self.act(self.hidden(seen)))).float()
        cells = cells.reshape(len(cells), self.grid**2, -1)
        codes, scores = cells.split((NUMBERS * self.boxes, self.num_classes), dim=-1)
        return Answers(scores, codes, ((self.grid, self.grid),), (self.grid**2,), picture)


def yolo_v1(
    scale: Scale,
    num_classes: int,
    in_channels: int = 3,
    backbone: BackboneOption = None,
    stride: Annotated[int, Gt(0)] = 32,
    grid: Annotated[int, Gt(0)] | None = None,
    boxes: Annotated[int, Gt(0)] = 2,
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5,
) -> OneStageDetector:
    """A backbone, and a head that sees all of its last map.

    Args:
        scale: how large it is where the options below leave that open.
        num_classes: without background.
        in_channels: of the pictures.
        backbone: the name of any registered network, or `my_net.py:Net`; or a choice with weights, options, frozen norms.
        stride: of the backbone's map that the head sees.
        grid: S, cells along each side; a cell answers for one object.
        boxes: B, of each cell.
        dropout: share of the hidden units that are dropped in training.
    """
    body = make_backbone(backbone, scale.backbone, in_channels=in_channels, strides=(stride,))
    return OneStageDetector(
        body,
        nn.Identity(),
        GridHead(body.channels[-1], scale, grid or scale.grid, boxes, num_classes, dropout),
        GridReading(),
        input_size=scale.input_size,
        minimum_size=2 * stride,
    )


for name, row in {"yolo_v1": FULL, "yolo_v1_light": LIGHT}.items():
    detectors.register(name)(partial(yolo_v1, row))
