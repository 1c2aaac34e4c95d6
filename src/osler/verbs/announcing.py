"""What a training says in the terminal before and after: what it runs on what, what was chosen and why, where the report lies."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from osler.training.run_folder import RunFolder
from osler.verbs.preparing import Prepared


def console_for(quiet: bool) -> Console:
    """Where a training prints."""
    return Console(quiet=quiet, highlight=False)


def announce(console: Console, prepared: Prepared, *, resumed: Path | None = None) -> None:
    """Data, network, what was chosen automatically and why, and what was left out."""
    training, source = prepared.training, prepared.source
    recipe = training.recipe.recipe
    counts = f"{len(source.train):,} training, {len(source.validation):,} validation"
    if source.test is not None and len(source.test):
        counts += f", {len(source.test):,} test"
    kinds = {"class": "classes", "labels": "labels", "numbers": "numbers"}[source.kind]
    size = "x".join(map(str, prepared.artefact.preprocessing.size))
    weights = sum(p.numel() for p in training.model.parameters())
    console.print(Text.assemble(("data   ", "bold"), f"{source.name}: {counts} pictures, {len(source.names)} {kinds}"))
    console.print(Text.assemble(("model  ", "bold"), f"{recipe.model.name}, {weights:,} parameters, pictures of {size}"))
    if training.engine.world > 1 and training.engine.device.type == "cpu" and _has_batch_norm(training.model):
        console.print("note   batch norm keeps the statistics of each process: synchronised ones need an accelerator.")
    for note in source.notes:
        console.print(Text.assemble(("note   ", "bold yellow"), str(note)))
    for skipped in list(source.skipped)[:5]:
        console.print(Text.assemble(("skipped ", "bold yellow"), f"{skipped.path}: {skipped.reason}"))
    if resumed is not None:
        position = training.position
        console.print(Text.assemble(("resumes ", "bold"), f"{resumed} after epoch {position.epoch}, update {position.update}"))
        return
    console.print(_choices(prepared))


def _has_batch_norm(model: Any) -> bool:
    from torch.nn.modules.batchnorm import _BatchNorm

    return any(isinstance(m, _BatchNorm) for m in model.modules())


def _choices(prepared: Prepared) -> Table:
    """What was chosen automatically: key, value, reason."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    table.add_column(style="dim")
    recipe = prepared.training.recipe
    for key, origin in recipe.origins.items():
        if origin.who in ("automatic", "weights"):
            table.add_row(key, _short(recipe.value(key)), origin.reason)
    return table


def _short(value: Any) -> str:
    if hasattr(value, "mean") and hasattr(value, "std"):
        return f"mean {_numbers(value.mean)}, std {_numbers(value.std)}"
    return "x".join(map(str, value)) if isinstance(value, tuple) and value and isinstance(value[0], int) else str(value)


def _numbers(values: Any) -> str:
    return " ".join(f"{v:.3f}" for v in values)


def announce_end(console: Console, folder: RunFolder, prepared: Prepared) -> None:
    """The numbers and the report's place; for an interrupted run, how to go on."""
    training = prepared.training
    for skipped in training.train_loader.skipped[:5]:
        console.print(Text.assemble(("skipped ", "bold yellow"), f"{skipped.path}: {skipped.reason}"))
    if training.interrupted:
        place = f"after epoch {training.position.epoch}, update {training.position.update}"
        console.print(Text.assemble(("stopped ", "bold yellow"), f"by {training.stop} {place}; the checkpoint is written."))
        console.print(f"Go on with: osler train --resume {folder.path}", soft_wrap=True)
        return
    if training.stop:
        console.print(Text.assemble(("stopped ", "bold"), training.stop))
    store = folder.store()
    try:
        for split in ("validation", "test"):
            metrics = store.fact(split)
            if metrics:
                numbers = "  ".join(f"{n} {v:.4f}" for n, v in metrics.items())
                console.print(Text.assemble((f"{split:<11}", "bold green"), numbers), soft_wrap=True)
    finally:
        store.close()
    console.print(Text.assemble(("best    ", "bold"), f"epoch {training.best.epoch}, {folder.best}"), soft_wrap=True)
    console.print(Text.assemble(("report  ", "bold"), str(folder.report)), soft_wrap=True)
