"""Detection: which objects are in a picture, and where; with a mask for each where the data and the network have them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from osler.data.source import DataSource
from osler.imaging.fit import Placement
from osler.metrics.detection import detection_scores
from osler.metrics.detection_mistakes import picture_errors
from osler.structures.batch import Batch
from osler.structures.detections import Detections, TrueObjects
from osler.structures.errors import RecipeError, TrainingError
from osler.structures.sample import Sample
from osler.tasks.object_drawing import draw_objects
from osler.tasks.object_outline import outline_of
from osler.tasks.object_placing import place_in_picture
from osler.tasks.recipe import TaskSection
from osler.tasks.requirements import require_kind
from osler.tasks.task import Losses, LossFunction, Outcome, Step, Task, tasks

COLUMNS = ("x1", "y1", "x2", "y2", "class", "score")  # of a table of objects


@tasks.register("detection")
class Detection(Task):
    """Objects and their boxes, judged as COCO judges them.

    The network is a detector: `losses(images, targets)` gives its named losses, `forward(images)` its Detections in
    pixels of its input. One in torchvision's manner is taken as well: `model(images, targets)` with dictionaries, in
    which classes count from 1, for 0 is background.
    """

    name = "detection"
    monitor = "ap"
    fixed_targets = False  # answers are matched with objects, some by how good they are

    def __init__(self, names: Sequence[str], *, threshold: float = 0.5) -> None:
        """The task of finding objects of the classes `names`.

        `threshold` is the score from which an object is shown, counted and written; the average precisions need all.
        """
        self.names = tuple(names)
        self.threshold = threshold
        self.thresholds = np.full(len(self.names), float(threshold))

    @classmethod
    def build(
        cls, section: TaskSection, source: DataSource, *, seed: int = 0, loss: LossFunction | None = None
    ) -> "Detection":
        """For the objects of `source`.

        Raises:
            RecipeError: a loss, smoothing or class weights are asked for: each detector brings its own losses.
        """
        require_kind(cls.name, source, "objects")
        asked = {
            "task.loss": section.loss != "auto" or loss is not None,
            "task.label_smoothing": section.label_smoothing > 0,
            "task.class_weights": section.class_weights != "none",
        }
        for key, set_ in asked.items():
            if set_:
                raise RecipeError(f"{key} was set, but a detector brings its own losses: change them in model.options.")
        return cls(source.names, threshold=section.threshold)

    def facts(self) -> dict[str, Any]:
        """Class names and threshold."""
        return {"names": list(self.names), "threshold": self.threshold}

    @property
    def outputs(self) -> int:
        """The number of classes, without background."""
        return len(self.names)

    def steps(self, model: nn.Module, batch: Batch) -> Iterator[Step]:
        """One update of the whole detector."""
        yield Step(lambda: _losses(model, batch))

    def evaluate(self, model: nn.Module, batch: Batch) -> tuple[list[Detections], Losses]:
        """What is found; a detector has no losses without the random choices of training."""
        return self.answer(model, batch.images), {}

    def answer(self, model: nn.Module, images: Float[Tensor, "batch channels height width"]) -> list[Detections]:
        """What is found in each picture, in pixels of the input."""
        return [d if isinstance(d, Detections) else _from_dictionary(d, self.outputs) for d in model(images)]

    def decode(self, outputs: Sequence[Detections]) -> list[Detections]:
        """The same on the CPU, in float32, without what has no place or score: a network that diverged gives such."""
        return [_finite(found.to("cpu")) for found in outputs]

    def in_picture(self, prediction: Detections, placement: Placement) -> Detections:
        """What was found, in pixels of the picture."""
        return place_in_picture(prediction, placement)

    def collate(self, samples: Sequence[Sample]) -> list[TrueObjects]:
        """The true objects of each picture."""
        return [TrueObjects.of(sample) for sample in samples]

    def metrics(self, outcome: Outcome) -> dict[str, float]:
        """COCO's numbers for boxes, and for masks where both sides have them; Pascal VOC's for boxes."""
        return detection_scores(outcome.predictions, outcome.targets, self.names)

    def describe(self, prediction: Detections) -> dict[str, Any]:
        """The objects whose score reaches the threshold: class, score, box, and the mask's outline where there is one.

        An outline is a list of polygons, each x and y in turn, in the pixels of the box.
        """
        shown = self._shown(prediction)
        rows = zip(shown.labels.tolist(), shown.scores.tolist(), shown.boxes.tolist(), strict=True)
        objects: list[dict[str, Any]] = [
            {"class": self.names[label], "score": round(score, 4), "box": [round(v, 1) for v in box]}
            for label, score, box in rows
        ]
        if shown.masks is not None:
            for described, mask, box in zip(objects, shown.masks.numpy(), shown.boxes.numpy(), strict=True):
                described["outline"] = outline_of(mask, box)
        return {"objects": objects}

    def table_rows(self, prediction: Detections) -> list[dict[str, Any]]:
        """A row for each object from the threshold on; an empty one where there is none. A data set has the same columns."""
        found = self.describe(prediction)["objects"]
        rows = [[*o["box"], o["class"], o["score"]] for o in found] or [[""] * len(COLUMNS)]
        return [dict(zip(COLUMNS, row, strict=True)) for row in rows]

    def draw(
        self, image: UInt8[np.ndarray, "height width 3"], prediction: Any, target: Any = None
    ) -> UInt8[np.ndarray, "height width 3"]:
        """The picture with what was found from the threshold on, and the truth in another colour."""
        return draw_objects(image, None if prediction is None else self._shown(prediction), target, self.names)

    def mistakes(self, outcome: Outcome) -> Float[np.ndarray, " samples"]:
        """Objects missed, found wrongly or in the wrong place, at the threshold."""
        return np.array(
            [
                sum(picture_errors(found, truth, self.threshold))
                for found, truth in zip(outcome.predictions, outcome.targets, strict=True)
            ],
            dtype=np.float64,
        )

    def sureness(self, outcome: Outcome) -> Float[np.ndarray, " samples"]:
        """The least score among those from the threshold on; 0 for a picture in which nothing was found."""
        shown = [self._shown(found).scores for found in outcome.predictions]
        return np.array([float(s.min()) if len(s) else 0.0 for s in shown])

    def _shown(self, prediction: Detections) -> Detections:
        return prediction.select(prediction.scores >= self.threshold)


def _losses(model: nn.Module, batch: Batch) -> Losses:
    """The named losses of a batch, in float32."""
    own = getattr(model, "losses", None)
    named = own(batch.images, batch.target) if own else model(batch.images, [_dictionary(t) for t in batch.target])
    if not isinstance(named, dict) or not named:
        raise TrainingError(
            f"{type(model).__name__} is trained as a detector, but gives no named losses: it needs a method "
            "losses(images, targets), or a forward pass of (images, targets) that gives a dictionary of losses."
        )
    return {name: value.float() for name, value in named.items()}


def _finite(found: Detections) -> Detections:
    masks = None if found.masks is None else found.masks.float()
    found = Detections(found.boxes.float(), found.labels, found.scores.float(), masks)
    return found.select(found.boxes.isfinite().all(dim=1) & found.scores.isfinite())


def _dictionary(truth: TrueObjects) -> dict[str, Tensor]:
    counted = truth.counted
    given = {"boxes": counted.boxes, "labels": counted.labels + 1}
    return given if counted.masks is None else given | {"masks": counted.masks}


def _from_dictionary(found: dict[str, Tensor], classes: int) -> Detections:
    """What a detector in torchvision's manner found; its masks, which lie over the whole picture, are not taken."""
    labels = found["labels"] - 1
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise TrainingError(
            f"The detector found the classes {int(labels.min()) + 1} to {int(labels.max()) + 1}, but the data has "
            f"{classes}: they count from 1 to {classes}, for 0 is background. Make it with num_classes={classes + 1}."
        )
    return Detections(found["boxes"].float(), labels, found["scores"].float())
