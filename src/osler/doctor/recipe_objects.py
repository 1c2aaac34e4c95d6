"""The objects of a training of ours, from its data sets and its detector, before anything is trained.

Boxes are those of the annotations, scaled as the pictures will be: no picture is decoded but some for their masks.
"""

from collections import Counter

import numpy as np

from osler.data.objects.object_set import ObjectDataSet
from osler.data.source import DataSet, DataSource
from osler.doctor.thresholds import SHARE_LIMIT
from osler.imaging.fit import FitTo
from osler.structures.preprocessing import Preprocessing
from osler.structures.sample import Objects
from osler.training.state import Training
from osler.vitals.anchors_seen import anchors_of, strides_of
from osler.vitals.evidence import Moment, ObjectsSeen, PictureObjects
from osler.vitals.object_evidence import NOT_LOOKED_AT
from osler.vitals.object_targets import mask_boxes_of

PICTURES = 1_000  # of each part
WITH_MASKS = 16  # pictures that are decoded for their masks


def objects_of(training: Training, source: DataSource | None = None) -> ObjectsSeen | None:
    """What the detector of a training will be taught; None where the data have no objects.

    Args:
        training: at its start.
        source: all of the data, where they are at hand: what their reader noted, and the classes of all pictures.
    """
    loader, held = training.train_loader, training.validation_loader
    if not isinstance(loader.dataset, ObjectDataSet):
        return None
    seen = ObjectsSeen("data", names=tuple(getattr(training.task, "names", ())))
    model = training.model
    preprocessing: Preprocessing | None = getattr(model, "preprocessing", None)
    seen.pictures += _pictures(loader.dataset, preprocessing, "train")
    if held is not None and isinstance(held.dataset, ObjectDataSet):
        seen.pictures += _pictures(held.dataset, preprocessing, "evaluate")
        seen.classes = {"train": _classes(loader.dataset), "validation": _classes(held.dataset)}
    if source is not None:
        _add_facts(seen, source)
    seen.anchors = anchors_of(model)
    from osler.models.detection.rcnn import RegionsOneByOne  # with all of its family: not for a training of classes

    enlarges = isinstance(model, RegionsOneByOne)  # each region by itself: no stride that objects could fall under
    seen.strides = () if enlarges else strides_of(model)
    return seen


def _add_facts(seen: ObjectsSeen, source: DataSource) -> None:
    """What the whole of the data tells, where a training has only a part of it."""
    if len(source.validation):
        seen.classes = {"train": _classes(source.train), "validation": _classes(source.validation)}
    pictures = sum(len(part) for part in (source.train, source.validation, source.test) if part is not None)
    seen.annotated = round(pictures * float(np.mean([len(p.boxes) for p in seen.pictures] or [0])))
    for fault in source.faults:
        seen.faults[fault.name] += 1
        seen.fault_examples.setdefault(fault.name, fault.reason.rstrip("."))


def _classes(dataset: DataSet) -> Counter[int]:
    """Pictures that hold each class; classes that none holds are left out."""
    counts = np.asarray(dataset.targets, np.int64).reshape(len(dataset), -1).sum(axis=0)
    return Counter({label: count for label, count in enumerate(counts.tolist()) if count})


def _pictures(dataset: ObjectDataSet, preprocessing: Preprocessing | None, moment: Moment) -> list[PictureObjects]:
    """Some pictures' objects, evenly spread over the set, in pixels of the network's input."""
    rows = np.unique(np.linspace(0, len(dataset) - 1, min(PICTURES, len(dataset))).round().astype(int)).tolist()
    fit = FitTo(preprocessing) if preprocessing is not None else None
    return [
        _picture(dataset, row, fit, moment, masks=place < WITH_MASKS and moment == "train" and dataset.with_masks)
        for place, row in enumerate(rows)
    ]


def _picture(dataset: ObjectDataSet, row: int, fit: FitTo | None, moment: Moment, *, masks: bool) -> PictureObjects:
    """A picture's objects where they will lie in the input; what the crop cuts off is cut off."""
    truth = dataset.truth(row)
    objects, size, around = truth.objects, truth.size, None
    if masks:
        sample = dataset[row]
        size = (sample.image.shape[0], sample.image.shape[1])
        objects = sample.objects or objects
        around = mask_boxes_of({"masks": objects.masks}, len(objects), size)
    boxes, counted = objects.boxes.astype(np.float64), _counted(objects)
    shares = bool(np.all(boxes <= SHARE_LIMIT))  # no pixels: scaled with the picture they would no longer be known
    if size is not None and fit is not None and not shares:
        placed, (height, width) = fit.place(*size), fit.preprocessing.size
        inside = np.all((boxes[:, :2] < [size[1], size[0]]) & (boxes[:, 2:] > 0), axis=1)
        boxes = np.asarray(placed.to_input(boxes), np.float64)
        cut = np.clip(boxes, 0, [width, height] * 2)
        gone = inside & np.any(cut[:, 2:] <= cut[:, :2], axis=1) & np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
        boxes, counted = np.where(inside[:, None], cut, boxes), counted & ~gone
        if around is not None:
            moved = np.clip(placed.to_input(around), 0, [width, height] * 2)
            around = np.where(np.all(around == NOT_LOOKED_AT, axis=1, keepdims=True), NOT_LOOKED_AT, moved)
        size = height, width
    name = dataset.path(row) or f"picture {row}"
    return PictureObjects(boxes, objects.labels, size, counted, around, name, moment, "data")


def _counted(objects: Objects) -> np.ndarray:
    counted = np.ones(len(objects), bool)
    for flags in (objects.crowd, objects.difficult):
        if flags is not None:
            counted &= ~flags.astype(bool)
    return counted
