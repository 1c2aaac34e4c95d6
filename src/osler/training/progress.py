"""An observer that shows a training in the terminal: one line that moves, one line kept for each epoch."""

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Task as Bar
from rich.text import Text

from osler.training.observer import Epoch, Observer, Updates
from osler.training.recorder import halved
from osler.training.state import Training

REFRESH = 0.2  # seconds between redraws: reading the clock is all that the updates between cost


class _Speed(ProgressColumn):
    """Pictures per second since the epoch began."""

    def render(self, task: Bar) -> Text:
        return Text(f"{task.fields.get('speed', 0):>6.0f} img/s", style="cyan")


class ProgressBar(Observer):
    """Epoch, update, loss, images per second and time left; without a terminal, only the epochs' lines."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bar: Progress | None = None
        self.task: Any = None
        self.losses: dict[str, float] = {}  # the last of each name
        self.drawn = self.began = 0.0
        self.samples = 0

    def started(self, training: Training) -> None:
        """Draws the bar at the place where the training stands."""
        section = training.recipe.recipe.train
        self.total = -(-len(training.train_loader) // section.accumulate)
        self.width = len(str(section.epochs))
        if self.console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(None),
                TaskProgressColumn(),
                _Speed(),
                TimeRemainingColumn(),
            )
            self.bar = Progress(*columns, console=self.console, auto_refresh=False, transient=True)
            self.bar.start()
            done = training.position.epoch * self.total + training.position.batch // section.accumulate
            self.task = self.bar.add_task("", total=section.epochs * self.total, completed=done)
        self._reset(training)

    def batch_done(self, training: Training) -> None:
        """Redraws when it is time."""
        if self.bar is None or time.perf_counter() - self.drawn < REFRESH:
            return
        self.drawn = time.perf_counter()
        position, section = training.position, training.recipe.recipe.train
        speed = (position.samples - self.samples) * training.engine.world / max(1e-9, self.drawn - self.began)
        step = -(-position.batch // section.accumulate)
        loss = f"  loss {sum(self.losses.values()):.4f}" if self.losses else ""
        self.bar.update(
            self.task,
            completed=position.epoch * self.total + step,
            description=f"epoch {position.epoch + 1}/{section.epochs}  {step}/{self.total}{loss}",
            speed=speed,
        )
        self.bar.refresh()

    def updated(self, training: Training, updates: Updates) -> None:
        """Keeps each loss of the last update that had it."""
        for name, values in updates.losses.items():
            self.losses[name] = next((v for v in reversed(values) if v == v), self.losses.get(name, 0.0))

    def batch_halved(self, training: Training) -> None:
        """Says so, and goes on."""
        self.console.print(Text(halved(training), style="bold yellow"), soft_wrap=True)

    def validating(self, training: Training, done: int, total: int) -> None:
        """Shows that a validation is under way."""
        if self.bar is None or time.perf_counter() - self.drawn < REFRESH:
            return
        self.drawn = time.perf_counter()
        self.bar.update(self.task, description=f"epoch {training.position.epoch + 1}  validating {done}/{total}")
        self.bar.refresh()

    def epoch_ended(self, training: Training, epoch: Epoch) -> None:
        """Keeps a line: losses, the monitored metric, speed, and a star at the best."""
        section = training.recipe.recipe.train
        train = sum(epoch.train.values())
        parts = [f"epoch {epoch.number:>{self.width}}/{section.epochs}", f"loss {train:.4f}"]
        shown = dict.fromkeys(("loss", training.task.monitor, training.monitor))
        words = {name: "val loss" if name == "loss" else name for name in shown if name in epoch.validation}
        parts += [f"{word} {epoch.validation[name]:.4f}" for name, word in words.items()]
        parts.append(f"{epoch.samples / max(1e-9, epoch.seconds):.0f} img/s")
        line = Text("  ".join(parts))
        if epoch.best:
            line.append("  ★", style="bold green")
        self.console.print(line, soft_wrap=True)
        self._reset(training)

    def closed(self) -> None:
        """Takes the bar away."""
        if self.bar is not None:
            self.bar.stop()

    def _reset(self, training: Training) -> None:
        self.began = time.perf_counter()
        self.samples = training.position.samples
