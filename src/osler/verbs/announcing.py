"""What a training says in the terminal before and after: what it runs on what, what was chosen and why, where the report lies."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch.nn.modules.batchnorm import _BatchNorm

from osler.data.renumbering import WORDS
from osler.data.source import DataSource
from osler.doctor.kept import PAGE, kept_diagnosis
from osler.training.recipe_file import short_key
from osler.training.run_folder import RunFolder
from osler.verbs.preparing import Prepared

HEADS = 12  # columns of the words at the left
VALUES = 18  # columns of the chosen values
SKIPPED_SHOWN = 5


def console_for(quiet: bool) -> Console:
    """Where a training prints."""
    return Console(quiet=quiet, highlight=False)


def announce(console: Console, prepared: Prepared, *, resumed: Path | None = None) -> None:
    """Data, network, what was chosen automatically and why, and what was left out."""
    training, source = prepared.training, prepared.source
    weights = sum(p.numel() for p in training.model.parameters())
    size = "x".join(map(str, prepared.artefact.preprocessing.size))
    name = training.recipe.recipe.model.name
    _say(console, "data", _about(source))
    _say(console, "model", f"{name}, {weights:,} parameters, sees pictures of {size}")
    notes = [*map(str, source.notes), *training.task.notes, *training.notes]
    if training.engine.world > 1 and training.engine.device.type == "cpu" and _has_batch_norm(training.model):
        notes.append("Batch norm keeps the statistics of each process: synchronised ones need an accelerator.")
    for note in notes:
        _say(console, "note", note, "bold yellow")
    _say_skipped(console, source.skipped)
    if resumed is not None:
        position = training.position
        _say(console, "resumes", f"{resumed} after epoch {position.epoch}, update {position.update}")
    else:
        _say_choices(console, prepared)
    console.print()


def _about(source: DataSource) -> str:
    """The data's name, and how many pictures and classes it has."""
    counts = [f"{len(source.train):,} training", f"{len(source.validation):,} validation"]
    if source.test is not None and len(source.test):
        counts.append(f"{len(source.test):,} test")
    return f"{source.name}: {', '.join(counts)} pictures, {len(source.names)} {WORDS[source.kind]}"


def _has_batch_norm(model: Any) -> bool:
    return any(isinstance(m, _BatchNorm) for m in model.modules())


def _say(console: Console, head: str, text: str, style: str = "bold") -> None:
    """A word at the left, and a text beside it that stays beside it when it is long."""
    grid = Table.grid()
    grid.add_column(width=HEADS, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(head, style=style), Text(text))
    console.print(grid)


def _say_path(console: Console, head: str, path: str, style: str = "bold") -> None:
    """A word at the left and a path or a command beside it, never broken, so that it can be copied."""
    console.print(Text.assemble((f"{head:<{HEADS}}", style), path), soft_wrap=True)


def _say_skipped(console: Console, skipped: Iterable[Any]) -> None:
    skipped = list(skipped)
    for one in skipped[:SKIPPED_SHOWN]:
        _say(console, "skipped", one.reason if one.path in one.reason else f"{one.path}: {one.reason}", "bold yellow")
    if len(skipped) > SKIPPED_SHOWN:
        _say(console, "", f"and {len(skipped) - SKIPPED_SHOWN:,} more; the report names them all")


def _say_choices(console: Console, prepared: Prepared) -> None:
    """What was chosen automatically: the word that sets it, value, reason."""
    recipe = prepared.training.recipe
    chosen = [(key, origin) for key, origin in recipe.origins.items() if origin.who in ("automatic", "weights")]
    if not chosen:
        return
    console.print(Text.assemble("\nChosen automatically; ", ("key=value", "bold"), " sets any of them."))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(max_width=VALUES, overflow="fold")
    table.add_column(style="dim", overflow="fold")
    for key, origin in chosen:
        table.add_row(Text(f"  {short_key(key)}"), Text(_short(recipe.value(key))), Text(origin.reason))
    console.print(table)


def _short(value: Any) -> str:
    if hasattr(value, "mean") and hasattr(value, "std"):
        return f"{_numbers(value.mean)} ± {_numbers(value.std)}"
    return "x".join(map(str, value)) if isinstance(value, tuple) and value and isinstance(value[0], int) else str(value)


def _numbers(values: Any) -> str:
    return " ".join(f"{v:.3f}" if len(values) == 1 else f"{v:.2f}" for v in values)


def announce_end(console: Console, folder: RunFolder, prepared: Prepared) -> None:
    """The numbers and the report's place; for an interrupted run, how to go on."""
    training = prepared.training
    console.print()
    _say_skipped(console, training.train_loader.skipped)
    if training.interrupted:
        place = f"after epoch {training.position.epoch}, update {training.position.update}"
        _say(console, "stopped", f"by {training.stop} {place}; the checkpoint is written.", "bold yellow")
        _say_path(console, "go on with", f"osler train --resume {folder.path}")
        return
    if training.stop:
        _say(console, "stopped", training.stop)
    store = folder.store()
    try:
        for _, kind, text in store.events():
            if kind == "checklist":
                console.print(Text.assemble(("check   ", "bold yellow"), text))
        _say_findings(console, folder)
        for split in ("validation", "test"):
            _say_metrics(console, split, store.fact(split) or {})
    finally:
        store.close()
    _say_path(console, "best", f"epoch {training.best.epoch}, {folder.best}")
    _say_path(console, "report", str(folder.report))


def _say_findings(console: Console, folder: RunFolder) -> None:
    """What the doctor found, a line each."""
    diagnosis = kept_diagnosis(folder.path)
    findings = [] if diagnosis is None else [f for f in diagnosis.findings if f.counts]
    for finding in findings:
        console.print(Text.assemble(("doctor  ", "bold yellow"), f"{finding.fault}: {finding.evidence}"))
    if findings:
        _say_path(console, "doctor", str(folder.path / PAGE))


def _say_metrics(console: Console, split: str, metrics: Mapping[str, float]) -> None:
    """Names and values, a name never parted from its value."""
    width = max(console.width - HEADS, 40)
    lines = [""]
    for name, value in metrics.items():
        item = f"{name} {value:.4f}"
        if lines[-1] and len(lines[-1]) + 2 + len(item) > width:
            lines.append("")
        lines[-1] += f"  {item}" if lines[-1] else item
    for number, line in enumerate(lines if metrics else []):
        console.print(Text.assemble((f"{'' if number else split:<{HEADS}}", "bold green"), line), soft_wrap=True)
