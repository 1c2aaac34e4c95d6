"""The detector of one stage: backbone, neck, a head that answers at every place, and a reading of what it says.

SSD, RetinaNet and the YOLOs differ in how the parts are filled. The reading has no parameters: it knows where the places
lie, which of them answer for which object, what the numbers mean, what a mistake costs, and which answers are kept.
"""

from collections.abc import Sequence
from typing import Protocol

from jaxtyping import Float
from torch import Tensor, nn

from osler.models.detection.dense_head import Answers
from osler.structures.detections import Detections, TrueObjects

Images = Float[Tensor, "batch channels height width"]


class Reading(Protocol):
    """What the raw outputs of a head mean."""

    def losses(self, answers: Answers, truths: Sequence[TrueObjects]) -> dict[str, Tensor]:
        """The named losses of a batch."""
        ...

    def detect(self, answers: Answers) -> list[Detections]:
        """What is found in each picture, in its pixels, the surest first."""
        ...


class OneStageDetector(nn.Module):
    """Backbone, neck and head, and how the head's outputs are read.

    Args:
        backbone: pictures to maps.
        neck: maps to levels; the identity where the head looks at the backbone's own.
        head: levels and the pictures' height and width to Answers.
        reading: losses and detections of the answers.
        input_size: side in pixels of the pictures for which the detector is made.
        minimum_size: side of the smallest picture that it can see.
    """

    def __init__(
        self,
        backbone: nn.Module,
        neck: nn.Module,
        head: nn.Module,
        reading: Reading,
        *,
        input_size: int,
        minimum_size: int,
    ) -> None:
        super().__init__()
        self.backbone, self.neck, self.head, self.reading = backbone, neck, head, reading
        self.input_size, self.minimum_size = input_size, minimum_size

    def answers(self, images: Images) -> Answers:
        """The raw outputs for standardised pictures."""
        answers: Answers = self.head(self.neck(self.backbone(images)), (images.shape[-2], images.shape[-1]))
        return answers

    def losses(self, images: Images, targets: Sequence[TrueObjects]) -> dict[str, Tensor]:
        """The named losses of a batch: what is minimised is their sum."""
        return self.reading.losses(self.answers(images), targets)

    def forward(self, images: Images) -> list[Detections]:
        """What is found in each standardised picture, in its pixels, the surest first."""
        return self.reading.detect(self.answers(images))
