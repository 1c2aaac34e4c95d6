"""Synthetic contents of a report: believable numbers from a seed, for the tests of the page."""

from dataclasses import replace

import cv2
import numpy as np
import torch

from osler.data.source import Skipped
from osler.metrics.detection import detection_scores
from osler.reports.content import Picture, Pictures, Remarks, ReportContent, Result, Subject
from osler.reports.environment import environment
from osler.structures.detections import Detections, TrueObjects
from osler.tasks.detection import Detection
from osler.tasks.task import Outcome
from osler.training.recipe import DEFAULT, Origin

DIGITS = tuple("0123456789")
CLOTHES = ("T-shirt or top", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "trainer", "bag", "ankle boot")


def history(epochs: int, metrics: dict[str, float], *, held_out: bool = True) -> list[dict[str, float]]:
    """Rows that fall and rise as a training does, ending near the metrics given."""
    rng = np.random.default_rng(1)
    rows = []
    for epoch in range(1, epochs + 1):
        done = epoch / max(epochs, 2)
        row = {
            "epoch": epoch,
            "train.loss": 1.9 * np.exp(-4.2 * done) + 0.02 + 0.015 * rng.random(),
            "lr": 0.1 * 0.5 * (1 + np.cos(np.pi * (epoch - 1) / max(epochs, 2))),
            "seconds": 4.2 + rng.random() * 0.3 + (epoch == 1),
            "images_per_second": 1290 - 180 * (epoch == 1) + 40 * rng.random(),
        }
        if held_out:
            row["validation.loss"] = 1.8 * np.exp(-3.6 * done) + 0.09 + 0.08 * done**4 + 0.03 * rng.random()
            row |= {
                f"validation.{m}": v * (1 - 0.55 * np.exp(-5 * done)) + 0.01 * rng.random() - 0.01
                for m, v in metrics.items()
            }
        rows.append(row)
    return rows


def class_outcome(classes: int, samples: int, *, skill: float = 4.5) -> Outcome:
    """Probabilities over classes; neighbouring classes are taken for each other, one pair more than all others."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, classes, samples)
    logits = rng.normal(size=(samples, classes))
    logits[np.arange(samples), targets] += skill
    logits[np.arange(samples), (targets + 1) % classes] += 0.35 * skill
    hard = targets == classes // 2
    logits[hard, 0] += 0.8 * skill
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Outcome(np.arange(samples), (e / e.sum(axis=1, keepdims=True)).astype(np.float32), targets)


def picture(seed: int, size: int = 8) -> np.ndarray:
    """A small coloured picture: a disc on a gradient."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    ground = np.stack([x, y, 1 - x], axis=2) * rng.integers(60, 200, 3)
    drawn = ground.astype(np.uint8)
    centre = tuple(int(v) for v in rng.integers(size // 3, 2 * size // 3, 2))
    cv2.circle(drawn, centre, size // 4, tuple(int(v) for v in rng.integers(0, 255, 3)), -1)
    return drawn


def pictures(names: tuple[str, ...], *, size: int = 8, count: int = 12) -> Pictures:
    """Galleries with invented captions."""
    k = len(names)
    wrong = [
        Picture(picture(i, size), true=names[i % k], predicted=names[(i + 1) % k], probability=0.999 - 0.03 * i)
        for i in range(count)
    ]
    sure = [
        Picture(picture(50 + i, size), true=names[i % k], predicted=names[i % k], probability=1 - 1e-6)
        for i in range(6)
    ]
    batch = [Picture(picture(90 + i, size), caption=names[i % k]) for i in range(count)]
    return Pictures(batch, wrong, sure)


RECIPE = (
    ("data.path", "photos/clothes", Origin("person")),
    ("train.epochs", 20, Origin("person")),
    ("train.batch_size", 128, Origin("automatic", "fits in memory with room to spare; larger was no faster")),
    ("train.precision", "bfloat16", Origin("automatic", "the processor has AVX512-BF16")),
    ("train.lr", 0.1, Origin("automatic", "usual for SGD with momentum")),
    ("model.mean", (0.485, 0.456, 0.406), Origin("weights")),
    ("train.momentum", 0.9, DEFAULT),
    ("train.optimizer_options", {}, DEFAULT),
    ("train.compile", False, DEFAULT),
    ("train.device", "", DEFAULT),
)
NOTES = ("The data came without a validation set: 15 % of the training pictures were held out, stratified, by seed 0.",)
SKIPPED = (Skipped("photos/clothes/bag/00317.jpg", "not a picture: the file is empty"),)


def classification(
    names: tuple[str, ...] = CLOTHES,
    *,
    samples: int = 1500,
    epochs: int = 20,
    held_out: bool = True,
    test: bool = False,
    size: int = 28,
) -> ReportContent:
    """A classifier's report."""
    outcome = class_outcome(len(names), samples)
    accuracy = float((outcome.predictions.argmax(1) == outcome.targets).mean())
    metrics = {
        "accuracy": accuracy,
        "top5": 0.999,
        "f1": accuracy - 0.004,
        "auc": 0.9973,
        "loss": 0.1234567,
        "calibration_error": 0.0213,
    }
    splits = (["validation"] if held_out else []) + (["test"] if test else [])
    return ReportContent(
        Subject("classification", "resnet18", "clothes", names, {"train": 8500, **dict.fromkeys(splits, samples)}),
        Result(
            "accuracy", metrics=dict.fromkeys(splits, metrics), outcomes=dict.fromkeys(splits, outcome),
            best_epoch=max(1, epochs - 3) if held_out else None, checkpoint="checkpoints/best.safetensors",
        ),
        history(epochs, {"accuracy": accuracy, "f1": accuracy - 0.01, "auc": 0.997}, held_out=held_out),
        pictures(names, size=size) if held_out else replace(pictures(names, size=size), mistakes=(), confident=()),
        RECIPE,
        {"whole run": 92.4, "training": 81.3, "validation": 6.2, "images per second": 1296.4},
        environment(),
        Remarks(NOTES, SKIPPED),
    )  # fmt: skip


def multilabel(
    labels: tuple[str, ...] = ("sky", "water", "person", "dog", "a unicorn"), *, samples: int = 400
) -> ReportContent:
    """A report of several labels a picture; the last label never occurs."""
    rng = np.random.default_rng(2)
    truth = (rng.random((samples, len(labels))) < np.linspace(0.6, 0.1, len(labels))).astype(np.uint8)
    truth[:, -1] = 0
    logits = 3 * truth - 1.5 + rng.normal(scale=np.linspace(0.8, 2, len(labels)), size=truth.shape)
    outcome = Outcome(np.arange(samples), (1 / (1 + np.exp(-logits))).astype(np.float32), truth)
    metrics = {"map": 0.874, "f1": 0.81, "f1_micro": 0.83}
    return ReportContent(
        Subject("multilabel", "resnet18", "holidays", labels, {"train": 2000, "validation": samples}),
        Result("map", metrics={"validation": metrics}, outcomes={"validation": outcome}, best_epoch=9),
        history(10, {"map": 0.87, "f1": 0.83}),
        pictures(labels, size=96),
        RECIPE,
        environment=environment(),
    )


def regression(names: tuple[str, ...] = ("age (years)",), *, samples: int = 600) -> ReportContent:
    """A report of numbers from pictures."""
    rng = np.random.default_rng(3)
    true = rng.uniform(5, 80, (samples, len(names)))
    outcome = Outcome(np.arange(samples), (true + rng.normal(scale=4, size=true.shape)).astype(np.float32), true)
    gallery = [Picture(picture(i, 120), true=f"{20 + i}", predicted=f"{31 + i}") for i in range(8)]
    rows = [
        {**r, "validation.mae": 30 * np.exp(-0.3 * r["epoch"]) + 3, "validation.r2": 1 - np.exp(-0.3 * r["epoch"])}
        for r in history(20, {})
    ]
    return ReportContent(
        Subject("regression", "resnet18", "faces", names, {"train": 3000, "validation": samples}),
        Result(
            "mae",
            "min",
            {"validation": {"mae": 3.21, "rmse": 4.05, "r2": 0.965}},
            {"validation": outcome},
            20,
            "checkpoints/best.safetensors",
        ),
        rows,
        Pictures(mistakes=gallery, confident=gallery[:4]),
        RECIPE,
        environment=environment(),
    )


CELLS = ("red blood cell", "white blood cell", "platelet", "seen in no picture")


def objects_found(pictures: int, *, classes: int = 3, masks: bool = False) -> Outcome:
    """Objects of which most are found; some in the wrong place, as another class, twice, or where nothing is."""
    rng = np.random.default_rng(4)
    found, truths = [], []
    for picture in range(pictures):
        count = 0 if picture % 9 == 8 else 6
        corners = rng.integers(0, 200, (count, 2)).astype(np.float32)
        boxes = np.concatenate([corners, corners + rng.integers(20, 110, (count, 2))], axis=1).astype(np.float32)
        labels = rng.choice(classes, count, p=[0.6, *[0.4 / (classes - 1)] * (classes - 1)])
        seen = np.repeat(np.arange(count), 2)[rng.random(2 * count) < 0.65]
        near = boxes[seen] + rng.normal(scale=5, size=(len(seen), 4)).astype(np.float32)
        near = np.concatenate([near, near[:1] + 150]).astype(np.float32)
        said = np.concatenate([labels[seen], [0][: len(near) - len(seen)]]).astype(np.int64)
        said = np.where(rng.random(len(said)) < 0.08, (said + 1) % classes, said)
        scores = np.sort(rng.beta(3, 1.5, len(near)))[::-1].astype(np.float32)
        found.append(Detections(*(torch.from_numpy(v.copy()) for v in (near, said, scores))))
        ignored = torch.from_numpy(rng.random(count) < 0.05)
        truths.append(TrueObjects(torch.from_numpy(boxes), torch.from_numpy(labels), ignored))
        if masks:
            found[-1].masks = torch.from_numpy(rng.uniform(0.4, 1, (len(near), 7, 7)).astype(np.float32))
            truths[-1].masks = torch.from_numpy(_filled(boxes))
    return Outcome(np.arange(pictures), found, truths)


def _filled(boxes: np.ndarray) -> np.ndarray:
    masks = np.zeros((len(boxes), 320, 320), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int), strict=True):
        mask[y1:y2, x1:x2] = 1
    return masks


def in_parts(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    """The same with the training loss told in parts and none of validation, as detectors tell it."""
    shares = {"class": 0.5, "box": 0.3, "mask": 0.12, "proposal": 0.06, "proposal_box": 0.02}
    for row in rows:
        whole = row.pop("train.loss")
        row.pop("validation.loss", None)
        row |= {f"train.{part}_loss": share * whole for part, share in shares.items()}
    return rows


def detection(names: tuple[str, ...] = CELLS, *, pictures: int = 30, masks: bool = False) -> ReportContent:
    """A detector's report; the last class never occurs."""
    outcome = objects_found(pictures, classes=len(names) - 1, masks=masks)
    metrics = detection_scores(outcome.predictions, outcome.targets, names)
    task = Detection(names)

    def drawn(row: int) -> Picture:
        image = task.draw(picture(row, 320), outcome.predictions[row], outcome.targets[row])
        return Picture(image, caption=f"BloodImage_{row:05}.jpg\n{row % 3 + 1} missed, 2 false")

    batch = [Picture(task.draw(picture(row, 320), None, outcome.targets[row])) for row in range(8)]
    return ReportContent(
        Subject("detection", "faster_rcnn_light", "cells", names, {"train": 200, "validation": pictures}),
        Result("ap", metrics={"validation": metrics}, outcomes={"validation": outcome}, best_epoch=9),
        in_parts(history(10, {"ap": metrics["ap"]})),
        Pictures(batch, [drawn(row) for row in range(12)], [drawn(row) for row in range(12, 16)]),
        RECIPE,
        environment=environment(),
    )


def hardly_anything() -> ReportContent:
    """A run of which nothing is known but its name."""
    return ReportContent(Subject("classification", "lenet5", "digits", ("0", "1")), Result("accuracy"))


HUNDRED = tuple(f"class number {i} {'with a very long name ' * (i % 3)}" for i in range(100))
UNBROKEN = tuple(f"a_class_with_a_long_name_{i}" * 2 for i in range(25))
CASES = {
    "ten": classification,
    "two": lambda: classification(("benign", "malignant"), test=True, samples=200, size=300),
    "hundred": lambda: classification(HUNDRED, samples=3000),
    "unbroken_names": lambda: classification(UNBROKEN, samples=300, epochs=2),
    "one_epoch": lambda: classification(DIGITS, epochs=1, size=8),
    "nothing_held_out": lambda: classification(epochs=2, held_out=False),
    "multilabel": multilabel,
    "regression": regression,
    "two_numbers": lambda: regression(("x", "angle (degrees)"), samples=2500),
    "detection": detection,
    "detection_of_many": lambda: detection((*(f"product {i} of a long shelf" for i in range(24)), "none"), masks=True),
    "hardly_anything": hardly_anything,
}
