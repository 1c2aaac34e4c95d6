"""How long trained detectors take for a picture, from its file to its boxes, and how much of that is not the network's.

    python benchmarks/detection_inference.py RUN [RUN ...] --pictures FOLDER [--batch 1 8] [--rounds 3] [--threads 2]

Asks each run by `osler predict`'s own code, some pictures at a time. `outside` is the share of the time outside the network:
reading, decoding and fitting the picture; reading the network's answers, suppression, the way back into the picture. What
Faster R-CNN does between its two stages is the network's own work, and is shown beside it as `proposing`. Runs whose
network has learnt: one that has not finds hundreds of boxes for suppression to go through. Medians of the rounds.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch
from clock import Clock

from osler.models.detection.one_stage import OneStageDetector
from osler.verbs import predict as predicting
from osler.verbs.loading import load_trained


def watched(model: torch.nn.Module) -> Clock:
    """A clock on what is the network's and what is between its stages."""
    clock = Clock()
    if isinstance(model, OneStageDetector):
        clock.watch(model, "answers", "network")
        return clock
    for part in ("backbone", "neck", "regions", "masks"):
        if getattr(model, part, None) is not None:
            clock.watch(getattr(model, part), "forward", "network")
    clock.watch(model.proposals, "forward", "network")
    if hasattr(model.proposals, "propose"):
        clock.watch(model.proposals, "propose", "proposing")
    return clock


def milliseconds(run: Path, pictures: list[str], batch: int, rounds: int) -> dict[str, float]:
    """Of a picture: all of it, and its parts."""
    trained = load_trained(run)
    clock = watched(trained.model)
    predicting.load_runs = lambda *_, **__: trained  # type: ignore[assignment]  # loading is not timed
    predicting.predict(run, *pictures[:batch], batch_size=batch)
    seen: list[dict[str, float]] = []
    for _ in range(rounds):
        clock.seconds.clear()
        began = time.perf_counter()
        predicting.predict(run, *pictures, batch_size=batch)
        parts = {"all": time.perf_counter() - began, **clock.seconds}
        seen.append({name: 1e3 * spent / len(pictures) for name, spent in parts.items()})
    return {name: statistics.median(row[name] for row in seen) for name in seen[0]}


def main() -> None:
    """Reads the words, measures, prints a row for each run and batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--pictures", required=True, help="a folder")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=64, help="pictures")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    words = parser.parse_args()
    torch.set_num_threads(words.threads)
    pictures = predicting.find_pictures([words.pictures])[: words.most]
    print(f"{len(pictures)} pictures, {words.threads} threads, float32, torch {torch.__version__}\n")
    print("| run | batch | ms a picture | network | proposing | outside | share outside |\n| --- |" + " ---: |" * 6)
    for run in words.runs:
        for batch in words.batch:
            spent = milliseconds(run, pictures, batch, words.rounds)
            inside, proposing = spent["network"], spent.get("proposing", 0.0)
            outside = spent["all"] - inside - proposing
            cells = [f"{spent['all']:.1f}", f"{inside:.1f}", f"{proposing:.1f}", f"{outside:.1f}"]
            print(f"| {run.name} | {batch} | {' | '.join(cells)} | {outside / spent['all']:.0%} |", flush=True)


if __name__ == "__main__":
    main()
