"""After the last epoch: the best weights back in the network, the test set looked at once, the report."""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from osler.classic.head import EstimatorHead, load_estimator
from osler.data.loader import Loader
from osler.data.source import DataSet
from osler.doctor.kept import kept_diagnosis
from osler.imaging.fit import FitTo
from osler.imaging.header import UnreadableError
from osler.imaging.transform import Compose
from osler.metrics.detection_mistakes import picture_errors
from osler.reports.content import Picture, Pictures, Remarks, ReportContent, Result, Subject
from osler.reports.environment import environment
from osler.reports.page import write_report
from osler.structures.batch import Batch
from osler.structures.healing import TriedChange
from osler.structures.preprocessing import Preprocessing
from osler.tasks.detection import Detection
from osler.tasks.task import Outcome
from osler.training.artefact import load_artefact
from osler.training.evaluation import evaluate
from osler.training.recorder import seconds_before
from osler.training.run_folder import RunFolder
from osler.training.store import Store
from osler.verbs.loading import answering_engine, looking_twice
from osler.verbs.preparing import Prepared

SHOWN_OF_BATCH = 16
SHOWN_ANSWERS = 12


@dataclass(frozen=True, slots=True)
class Answered:
    """What the shipped model answers on a split."""

    dataset: DataSet
    outcome: Outcome
    metrics: dict[str, float]


def finish(prepared: Prepared, folder: RunFolder, seconds: float) -> dict[str, float]:
    """Evaluates the best weights, records what they reach, writes the report; returns the metrics that count.

    The network of `prepared` ends with its best weights. The answers are computed in float32, as `osler predict` computes them.
    """
    if folder.best.exists():
        load_artefact(folder.best, prepared.training.model, task=prepared.training.task)
    store = folder.store()
    try:
        began = time.perf_counter()
        answered = _answers(prepared, folder)
        timing = {"whole run": seconds_before(store) + seconds, "final evaluation": time.perf_counter() - began}
        facts = environment()
        for split, found in answered.items():
            store.set_fact(split, found.metrics)
        store.set_fact("timing", timing)
        store.set_fact("environment", facts)
        write_report(_content(prepared, folder, store, answered, timing), folder.path)
    finally:
        store.close()
    return answered["test" if "test" in answered else "validation"].metrics if answered else {}


def _answers(prepared: Prepared, folder: RunFolder) -> dict[str, Answered]:
    """What the shipped model answers on the validation set and on the test set, where there are such."""
    source, artefact = prepared.source, copy.copy(prepared.artefact)
    artefact.model = prepared.training.model.eval()
    if folder.estimator.exists():
        artefact.model = EstimatorHead(artefact.model, load_estimator(folder.estimator), artefact.task.outputs).eval()
    engine, standardise = answering_engine(looking_twice(artefact), str(prepared.training.engine.device))
    answered = {}
    for split, dataset in (("validation", source.validation), ("test", source.test)):
        if dataset is None or not len(dataset):
            continue
        dataset.decode_size = artefact.preprocessing.size
        loader = Loader(
            dataset,
            transform=Compose([FitTo(artefact.preprocessing)]),
            collate=artefact.task.collate,
            batch_size=prepared.training.train_loader.batch_size,
            seed=0,
            order="sequential",
            workers=prepared.training.train_loader.workers,
            unreadable=prepared.training.recipe.recipe.data.unreadable,
        )
        outcome = evaluate(artefact.model, artefact.task, loader, engine=engine, standardise=standardise)
        answered[split] = Answered(dataset, outcome, artefact.task.metrics(outcome))
    return answered


def _content(
    prepared: Prepared, folder: RunFolder, store: Store, answered: dict[str, Answered], timing: dict[str, float]
) -> ReportContent:
    """Everything that the report shows."""
    training, source, recipe = prepared.training, prepared.source, prepared.training.recipe
    counts = {"train": len(source.train), "validation": len(source.validation)}
    if source.test is not None and len(source.test):
        counts["test"] = len(source.test)
    model = recipe.recipe.model.name.rpartition(":")[2]
    if folder.estimator.exists():
        model = f"{recipe.recipe.estimator.name} on {model}'s features"
    history = store.epochs()
    skipped = [*source.skipped, *training.train_loader.skipped]
    watched = kept_diagnosis(folder.path)
    return ReportContent(
        Subject(
            training.task.name,
            model,
            source.name,
            tuple(source.names),
            counts,
            tuple(training.task.thresholds.tolist()),
        ),
        Result(
            training.monitor,
            training.direction,
            {split: found.metrics for split, found in answered.items()},
            {split: found.outcome for split, found in answered.items()},
            training.best.epoch or None,
            str(folder.best.relative_to(folder.path)),
        ),
        history,
        _pictures(prepared, answered),
        list(recipe.rows()),
        timing | _speed(history),
        store.fact("environment", {}),
        Remarks([*map(str, source.notes), *training.task.notes, *_complaints(store)], skipped),
        watched.findings if watched else [],
        [TriedChange.from_json(each) for each in store.fact("healing", [])],
    )


def _complaints(store: Store) -> list[str]:
    """What the checklist found before the first update."""
    return [text for _, kind, text in store.events() if kind == "checklist"]


def _speed(history: Sequence[dict[str, float]]) -> dict[str, float]:
    """Totals over the epochs."""
    seconds = sum(row.get("seconds", 0.0) for row in history)
    pictures = sum(row.get("seconds", 0.0) * row.get("images_per_second", 0.0) for row in history)
    found = {"training": seconds, "validation": sum(row.get("validation_seconds", 0.0) for row in history)}
    return found | ({"images per second": pictures / seconds} if seconds else {})


def _pictures(prepared: Prepared, answered: dict[str, Answered]) -> Pictures:
    """A batch as the network sees it, the worst mistakes, the surest right answers."""
    split = "validation" if "validation" in answered else next(iter(answered), None)
    batch = _batch_pictures(prepared)
    if split is None:
        return Pictures(batch=batch)
    found, task = answered[split], prepared.training.task
    wrong = task.mistakes(found.outcome)
    worst = [i for i in np.argsort(-wrong, kind="stable") if wrong[i] > 0][:SHOWN_ANSWERS]
    good = wrong == 0 if task.name != "regression" else np.ones(len(wrong), bool)  # no number is quite right
    sure = task.sureness(found.outcome)
    if task.name == "detection":
        good &= sure > 0  # an empty picture in which rightly nothing was found has nothing to show
    right = [i for i in np.argsort(-sure, kind="stable") if good[i]][:SHOWN_ANSWERS]
    draw = lambda rows: [p for p in (_answer_picture(prepared, found, int(i)) for i in rows) if p is not None]  # noqa: E731
    return Pictures(batch, draw(worst), draw(right), split)


def _answer_picture(prepared: Prepared, found: Answered, row: int) -> Picture | None:
    """The picture as the network sees it, with the truth and the answer in words; None when it cannot be read."""
    index = int(found.outcome.indices[row])
    try:
        sample = found.dataset[index]
    except UnreadableError:
        return None
    fitted = FitTo(prepared.artefact.preprocessing)(sample, np.random.default_rng(0))
    task, names = prepared.training.task, prepared.source.names
    prediction = found.outcome.predictions[row]
    image = in_colour(fitted.image)
    if isinstance(task, Detection):
        truth = found.outcome.targets[row]
        name = Path(sample.path).name or f"picture {index}"
        erred = errors_in_words(*picture_errors(prediction, truth, task.threshold))
        return Picture(task.draw(image, prediction, truth), caption=f"{name}\n{erred}".strip())
    said = task.describe(prediction)
    return Picture(
        image,
        true=caption(found.outcome.targets[row], names, task.name),
        predicted=str(said["class"]) if "class" in said else words_of(said),
        probability=said.get("probability"),
    )


def errors_in_words(missed: int, false: int) -> str:
    """A detector's errors on a picture in a line; nothing where there are none."""
    return ", ".join(f"{n} {what}" for n, what in ((missed, "missed"), (false, "false")) if n)


def _batch_pictures(prepared: Prepared) -> list[Picture]:
    """The first training batch, augmented and mixed, as bytes again, with its labels."""
    training = prepared.training
    batch = next(iter(training.train_loader.epoch(0)), None)
    if batch is None:
        return []
    batch = training.prepare(batch)
    generator = training.generator(0)
    for transform in training.batch_transforms:
        batch = transform(batch, generator)
    images = unstandardised(batch, prepared.artefact.preprocessing)
    targets = batch.target.cpu().numpy() if hasattr(batch.target, "cpu") else batch.target
    names, task = prepared.source.names, training.task
    if task.name == "detection":
        return [Picture(task.draw(i, None, t.to("cpu"))) for i, t in zip(images, targets, strict=False)]
    return [
        Picture(image, caption=caption(target, names, training.task.name))
        for image, target in zip(images, targets[:SHOWN_OF_BATCH], strict=False)
    ]


def unstandardised(batch: Batch, preprocessing: Preprocessing) -> np.ndarray:
    """Standardised pictures as bytes (pictures, height, width, 3)."""
    images = batch.images[:SHOWN_OF_BATCH].float().cpu().permute(0, 2, 3, 1).numpy()
    images = (images * np.asarray(preprocessing.std) + np.asarray(preprocessing.mean)) * 255
    return in_colour(images.round().clip(0, 255).astype(np.uint8))


def in_colour(images: UInt8[np.ndarray, "*sizes channels"]) -> UInt8[np.ndarray, "*sizes 3"]:
    """Grey pictures with three equal channels; coloured ones as they are."""
    return images.repeat(3, axis=-1) if images.shape[-1] == 1 else images


def caption(target: Any, names: Sequence[str], task: str) -> str:
    """A target in words: a class, the shares of a mixture, several labels, or numbers; nothing for other tasks."""
    if task == "regression":
        return ", ".join(f"{n} {v:.3g}" for n, v in zip(names, np.atleast_1d(np.asarray(target)), strict=False))
    if task not in ("classification", "multilabel"):
        return ""
    values = np.asarray(target)
    if values.ndim == 0:
        return names[int(values)]
    held = [(names[i], float(v)) for i, v in enumerate(values) if v > 0.005]
    if task == "multilabel":
        return ", ".join(n if v > 0.995 else f"{n} {v:.0%}" for n, v in held) or "none"
    return " + ".join(n if v > 0.995 else f"{v:.0%} {n}" for n, v in sorted(held, key=lambda h: -h[1])[:3])


def words_of(said: dict[str, Any]) -> str:
    """A described prediction in one line."""
    values = next((v for v in said.values() if isinstance(v, (list, tuple, dict))), said)
    if isinstance(values, dict):
        return ", ".join(f"{n} {v:.3g}" if isinstance(v, float) else f"{n} {v}" for n, v in values.items())
    return ", ".join(map(str, values)) or "none"
