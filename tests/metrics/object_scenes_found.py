"""Pictures full of true objects and of what a middling detector found in them, from a seed."""

import numpy as np
import torch

from osler.structures.detections import Detections, TrueObjects

SIDE = 160


def truth_of(
    rows: list[tuple[int, list[float]]], *, ignored: tuple[int, ...] = (), crowd: tuple[int, ...] = ()
) -> TrueObjects:
    """True objects from (label, box)."""
    flags = torch.zeros(len(rows), dtype=torch.bool)
    crowds = flags.clone()
    flags[list(ignored) + list(crowd)] = True
    crowds[list(crowd)] = True
    boxes = torch.tensor([b for _, b in rows], dtype=torch.float32).reshape(-1, 4)
    return TrueObjects(boxes, torch.tensor([v for v, _ in rows], dtype=torch.long), flags, crowd=crowds)


def found_of(rows: list[tuple[int, float, list[float]]]) -> Detections:
    """Detections from (label, score, box)."""
    boxes = torch.tensor([b for *_, b in rows], dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor([v for v, *_ in rows], dtype=torch.long)
    return Detections(boxes, labels, torch.tensor([s for _, s, _ in rows], dtype=torch.float32))


def scene(
    rng: np.random.Generator,
    *,
    classes: int = 3,
    objects: int = 8,
    wrong: int = 6,
    crowds: float = 0.15,
    difficult: float = 0.0,
    masks: bool = False,
) -> tuple[Detections, TrueObjects]:
    """A picture: objects found twice, shifted, of another class or not at all, and things found that are not there."""
    boxes = _boxes(rng, objects)
    labels = rng.integers(0, classes, objects)
    crowd = rng.random(objects) < crowds
    ignored = crowd | (rng.random(objects) < difficult)
    near = np.repeat(boxes, 2, axis=0) + rng.normal(scale=3, size=(2 * objects, 4)).round()
    near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
    said = np.repeat(labels, 2)
    said = np.where(rng.random(len(said)) < 0.15, rng.integers(0, classes, len(said)), said)
    keep = rng.random(len(near)) < 0.8
    all_boxes = np.concatenate([near[keep], _boxes(rng, wrong)]).clip(0, SIDE)
    all_labels = np.concatenate([said[keep], rng.integers(0, classes, wrong)])
    scores = (rng.integers(1, 100, len(all_boxes)) / 100).astype(np.float32)  # with ties
    order = np.argsort(-scores, kind="stable")
    found = Detections(*(torch.from_numpy(v[order]) for v in (all_boxes.astype(np.float32), all_labels, scores)))
    truth = TrueObjects(
        torch.from_numpy(boxes.astype(np.float32)),
        torch.from_numpy(labels),
        torch.from_numpy(ignored),
        crowd=torch.from_numpy(crowd),
    )
    if masks:
        found.masks = torch.from_numpy(rng.random((len(found), 7, 7)).astype(np.float32) * 0.5 + 0.3)
        truth.masks = torch.from_numpy(_ellipses(boxes))
    return found, truth


def scenes(seed: int, pictures: int, **options: object) -> tuple[list[Detections], list[TrueObjects]]:
    """Several pictures; the last but one without objects, the last in which nothing was found."""
    rng = np.random.default_rng(seed)
    made = [scene(rng, **options) for _ in range(pictures)]  # type: ignore[arg-type]
    found, truths = [f for f, _ in made], [t for _, t in made]
    if pictures > 2:
        truths[-2] = truths[-2].select(torch.zeros(len(truths[-2]), dtype=torch.bool))
        found[-1] = found[-1].select(torch.zeros(len(found[-1]), dtype=torch.bool))
    return found, truths


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    sides = rng.choice([10, 24, 40, 70, 110], (count, 2)) + rng.integers(0, 8, (count, 2))
    corners = (rng.random((count, 2)) * (SIDE - sides)).round()
    return np.concatenate([corners, corners + sides], axis=1)


def _ellipses(boxes: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    x1, y1, x2, y2 = (boxes[:, i, None, None] for i in range(4))
    return (((2 * x - x1 - x2) / (x2 - x1)) ** 2 + ((2 * y - y1 - y2) / (y2 - y1)) ** 2 <= 1).astype(np.uint8)
