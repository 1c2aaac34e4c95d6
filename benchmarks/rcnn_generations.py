"""The generations of R-CNN on the same pictures: how well they find digits, how long a picture takes, and where that goes.

    python benchmarks/rcnn_generations.py [NAME ...] [--pictures 1000] [--epochs 4] [--size 320] [--threads 2]

Each is trained from nothing by one recipe, all on half of a ResNet-18, on digits-in-the-wild of that side, not augmented
(so that a training picture is searched but once), and judged on its test pictures. Then it answers these one at a time in
float32, each picture for the first time, so that selective search remembers nothing. Time of a picture: the mean, divided
among who spends it. `regions`: searching or proposing them; `features`: the convolutions that all regions share, for R-CNN
warping and convolving each; `heads`: pooling and what looks at the regions one by one; `rest`: decoding, suppression.
`passes`: how many pictures or crops went through the convolutions. For a trial: --pictures 8 --epochs 1 --size 128.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from clock import Clock
from torch import Tensor, nn

import osler
from osler.data.assembling import assemble
from osler.data.objects.digits_in_the_wild import Part, read_digits_in_the_wild
from osler.data.recipe import DataSection
from osler.data.source import DataSource
from osler.models.detection.rcnn import RegionsOneByOne
from osler.verbs.loading import load_trained

PARTS = ("regions", "features", "heads", "rest")
WARM_UP = 3  # pictures
RECIPE = (
    *("model.options.backbone.name=resnet18", "model.options.backbone.options.width=0.5"),
    *("train.batch_size=4", "train.warmup=0.05", "train.clip_norm=10", "data.augment.preset=none"),
)


@dataclass(frozen=True)
class Generation:
    """A row of the table."""

    source: str  # of the regions
    together: str  # what is trained with what
    numbers: tuple[str, ...] = ("ap50",)


GENERATIONS = {
    "rcnn_light": Generation("selective search", "network; then SVMs and regressions"),
    "fast_rcnn_light": Generation("selective search", "network and heads"),
    "faster_rcnn_2015_light": Generation("a network on the map", "all"),
    "faster_rcnn_light": Generation("a network on the pyramid", "all"),
    "mask_rcnn_light": Generation("a network on the pyramid", "all, and masks", ("ap50", "mask_ap50")),
}


def watched(model: nn.Module) -> Clock:
    """A clock on the parts of a detector of two stages, or of R-CNN."""
    clock = Clock()
    calls = [(model, "forward", "rest"), (model.proposals, "forward", "regions")]
    if isinstance(model, RegionsOneByOne):
        calls += [(model, "look", "features")]
        calls += [(model.estimators, "margins", "heads"), (model.estimators, "codes", "heads")]
    else:
        calls += [(model.backbone, "forward", "features"), (model.neck, "forward", "features")]
        calls += [(m, "forward", "heads") for m in (model.regions, model.masks) if m is not None]
        if hasattr(model.proposals, "propose"):
            calls.append((model.proposals, "propose", "regions"))
    for owner, method, part in calls:
        clock.watch(owner, method, part)
    return clock


def time_of_pictures(model: nn.Module, warm_up: Sequence[Tensor], pictures: Sequence[Tensor]) -> dict[str, float]:
    """Milliseconds of a picture by part, and how many pictures or crops went through the convolutions."""
    body, passed = cast(nn.Module, model.network if isinstance(model, RegionsOneByOne) else model.backbone), [0]

    def count(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        passed[0] += len(inputs[0])

    clock = watched(model)
    handle = body.register_forward_pre_hook(count)
    with torch.inference_mode():
        for picture in warm_up:
            model(picture)
        clock.seconds.clear()
        passed[0] = 0
        for picture in pictures:
            model(picture)
    handle.remove()
    spent = {part: 1e3 * clock.seconds[part] / len(pictures) for part in PARTS}
    return spent | {"passes": passed[0] / len(pictures), "all": sum(spent.values())}


def row_of(name: str, source: DataSource, epochs: int, size: int) -> tuple[float, str]:
    """Trains one, asks it, and tells in a row of the table."""
    about = GENERATIONS[name]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="osler-rcnn-") as folder:
        words = (*RECIPE, f"train.epochs={epochs}", f"model.size={size}")
        run = osler.train(data=source, model=name, out=Path(folder) / "run", quiet=True, overrides=words)
        trained, metrics = time.perf_counter() - began, run.metrics
        saved = load_trained(run.path)
    assert source.test is not None
    pictures = [as_input(saved.preprocessing, source.test[i].image) for i in range(len(source.test))]
    warm_up = [as_input(saved.preprocessing, source.train[i].image) for i in range(WARM_UP)]
    spent = time_of_pictures(saved.model, warm_up, pictures)
    scores = " / ".join(f"{metrics.get(number, 0.0):.3f}" for number in about.numbers)
    cells = [name, about.source, f"{spent['passes']:.0f}", about.together, f"{trained:.0f}", scores]
    cells += [f"{spent[key]:.1f}" for key in ("all", *PARTS)]
    return spent["all"], f"| {' | '.join(cells)} |"


def as_input(preprocessing: Any, image: Any) -> Tensor:
    """A picture of the set, which has the network's size already, as the network takes it."""
    standardised: Tensor = preprocessing.standardise(torch.from_numpy(image).permute(2, 0, 1)[None])
    return standardised


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(GENERATIONS)}; all of them where none is named")
    parser.add_argument("--pictures", type=int, default=1000, help="to train on; an eighth as many validate, and test")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--size", type=int, default=320, help="side of the pictures in pixels")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    others = max(4, asked.pictures // 8)
    counts: dict[Part, int] = {"train": asked.pictures, "validation": others, "test": others}
    parts = read_digits_in_the_wild(side=asked.size, counts=counts)
    print(
        f"{asked.pictures} pictures of {asked.size} x {asked.size}, {asked.epochs} epochs, {others} test pictures, "
        f"{asked.threads} threads, torch {torch.__version__}\n\n"
        f"| detector | regions from | passes | trained together | training s | AP50 (/ of masks) | ms a picture "
        f"| {' | '.join(PARTS)} |\n|{' --- |' * (7 + len(PARTS))}"
    )
    took = {}
    for name in asked.names or GENERATIONS:
        source = assemble(parts, DataSection(), 0)
        took[name], row = row_of(name, source, asked.epochs, asked.size)
        print(row, flush=True)
    times = [took[name] for name in ("rcnn_light", "fast_rcnn_light", "faster_rcnn_2015_light") if name in took]
    if len(times) == 3:
        falls = times[0] > times[1] > times[2]
        print(
            f"\nFrom R-CNN to Fast {times[0] / times[1]:.1f} times as fast, from Fast to Faster {times[1] / times[2]:.1f}: "
            f"the time {'falls' if falls else 'does NOT fall'} from generation to generation."
        )


if __name__ == "__main__":
    main()
