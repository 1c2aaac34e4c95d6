"""`osler predict`: a trained model's answers for pictures."""

import csv
import glob
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import nn

from osler.data.pictures import pictures_under
from osler.data.source import Skipped
from osler.imaging.decode import EncodedPicture, read_image
from osler.imaging.encode import write_image
from osler.imaging.fit import FitTo, Placement
from osler.imaging.header import UnreadableError
from osler.imaging.opening import undecoded
from osler.structures.errors import DataError
from osler.structures.files import write_text
from osler.structures.preprocessing import Preprocessing
from osler.tasks.task import Task
from osler.verbs.answering_together import Runs, load_runs
from osler.verbs.loading import answering_engine


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says of one picture."""

    path: str
    prediction: Any  # a row of the task's decoded predictions
    described: dict[str, Any]  # the same in plain values: label and probability, labels, numbers, or objects


@dataclass(slots=True)
class Answers(Sequence[Answer]):
    """The answers for some pictures, in their order, and what could not be read."""

    answers: list[Answer]
    task: Any
    preprocessing: Preprocessing
    skipped: list[Skipped] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.answers)

    def __getitem__(self, index: Any) -> Any:
        return self.answers[index]

    def rows(self) -> list[dict[str, Any]]:
        """A plain dictionary a picture, its path first."""
        return [{"path": a.path, **a.described} for a in self.answers]

    def save(self, path: str | Path) -> Path:
        """Writes .json or .csv, by the name's ending. A CSV has a row a picture; of objects found, a row an object.

        Raises:
            DataError: another ending.
        """
        path = check_answers_file(path)
        write_text(path, self._json() if path.suffix.lower() == ".json" else self._csv())
        return path

    def draw(self, folder: str | Path) -> list[Path]:
        """Writes every picture with its answer on it into a folder, as PNG; equal names are numbered."""
        folder, written = Path(folder), []
        folder.mkdir(parents=True, exist_ok=True)
        for answer in self.answers:
            target = folder / f"{Path(answer.path).stem}.png"
            for number in range(2, len(self.answers) + 2):
                if target not in written:
                    break
                target = folder / f"{Path(answer.path).stem}-{number}.png"
            write_image(target, self.drawn(answer))
            written.append(target)
        return written

    def drawn(self, answer: Answer) -> UInt8[np.ndarray, "height width 3"]:
        """A picture with its answer on it."""
        drawn: UInt8[np.ndarray, "height width 3"] = self.task.draw(
            read_image(answer.path, channels=3), answer.prediction
        )
        return drawn

    def _json(self) -> str:
        rows = {"answers": self.rows(), "skipped": [{"path": s.path, "reason": s.reason} for s in self.skipped]}
        return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"

    def _csv(self) -> str:
        rows = [
            {k: json.dumps(v, ensure_ascii=False) if isinstance(v, (dict, list)) else v for k, v in row.items()}
            for answer in self.answers
            for row in ({"path": answer.path, **r} for r in self.task.table_rows(answer.prediction))
        ]
        text = io.StringIO()
        names = list(dict.fromkeys(k for row in rows for k in row)) or ["path"]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def check_answers_file(path: str | Path) -> Path:
    """The path, if answers can be written under that name.

    Raises:
        DataError: another ending than .json or .csv.
    """
    path = Path(path)
    if path.suffix.lower() not in (".json", ".csv"):
        raise DataError(f"Answers are saved as .json or .csv; given: {path.name}.")
    return path


def predict(
    run: Runs,
    *pictures: str | Path,
    model: nn.Module | None = None,
    task: Task | None = None,
    batch_size: int = 32,
    device: str = "auto",
) -> Answers:
    """Asks the best weights of a run about pictures.

    Args:
        run: a run's folder, or a .safetensors file that Osler wrote; several of them answer together, as an ensemble.
        pictures: files, folders (all pictures below), or globs such as `photos/*.jpg`.
        model: the module to fill, where the run was trained on one passed in Python.
        task: the run's task, where it was passed in Python.
        batch_size: pictures at a time.
        device: "auto", "cpu", "cuda", "mps".

    Raises:
        DataError: nothing to look at; no picture is readable.
        OslerError: the run cannot be used.
    """
    artefact = load_runs(run, model=model, task=task)
    paths = find_pictures(pictures)
    engine, standardise = answering_engine(artefact, device)
    answers, skipped = [], []
    for start in range(0, len(paths), batch_size):
        read, unreadable = _read(paths[start : start + batch_size], artefact.preprocessing)
        skipped += unreadable
        if not read:
            continue
        images = torch.from_numpy(np.stack([r.image for r in read])).permute(0, 3, 1, 2).to(engine.device)
        with torch.inference_mode():
            predictions = artefact.task.decode(artefact.task.answer(artefact.model, standardise(images)))
        for sample, prediction in zip(read, predictions, strict=True):
            found = artefact.task.in_picture(prediction, sample.placement)
            answers.append(Answer(sample.path, found, artefact.task.describe(found)))
    if not answers:
        raise DataError(f"None of {len(paths)} pictures can be read. The first: {skipped[0].reason}")
    return Answers(answers, artefact.task, artefact.preprocessing, skipped)


def find_pictures(wanted: Sequence[str | Path]) -> list[str]:
    """Picture files for paths, folders and globs, each once, in the order given.

    Raises:
        DataError: nothing was asked for, or one of them leads to no picture.
    """
    if not wanted:
        raise DataError("Name at least one picture, folder or glob: osler predict RUN photos/*.jpg")
    return list(dict.fromkeys(path for one in wanted for path in _pictures_of(str(one))))


def _pictures_of(one: str) -> Iterator[str]:
    path = Path(one)
    if path.is_dir():
        found = pictures_under(path)
        if not found:
            raise DataError(f"There are no pictures in the folder {one}.")
        yield from found
    elif path.exists():
        yield one
    else:
        matches = sorted(glob.glob(one, recursive=True))
        if not matches:
            raise DataError(f"There is no picture at {one}.")
        yield from (m for m in matches if Path(m).is_file())


@dataclass(frozen=True, slots=True)
class _Read:
    """A picture as the network takes it."""

    path: str
    image: UInt8[np.ndarray, "height width channels"]
    placement: Placement


def _read(paths: Sequence[str], preprocessing: Preprocessing) -> tuple[list[_Read], list[Skipped]]:
    """The pictures as the network takes them, and those that cannot be read."""
    fit, read, skipped = FitTo(preprocessing), [], []
    for path in paths:
        try:
            picture = EncodedPicture.open(path, channels=preprocessing.channels)
            fitted = fit.open(picture, undecoded(picture))
        except (UnreadableError, OSError) as error:
            skipped.append(Skipped(path, str(error)))
            continue
        read.append(_Read(path, fitted.image, fit.place(picture.height, picture.width)))
    return read, skipped
