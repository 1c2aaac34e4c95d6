"""An observer that writes TensorBoard's event files into the run's folder."""

from pathlib import Path
from typing import Any

from osler.structures.errors import MissingExtraError
from osler.training.observer import Epoch, Observer, Updates
from osler.training.recorder import epoch_row
from osler.training.state import Training


class TensorBoardLog(Observer):
    """Losses by update and metrics by epoch under `RUN/tensorboard`; look with `tensorboard --logdir RUN`.

    Raises:
        MissingExtraError: tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingExtraError("train.log=tensorboard needs tensorboard: pip install 'osler[track]'.") from None
        self._make = SummaryWriter
        self._folder = folder
        self._writer: Any = None

    def started(self, training: Training) -> None:
        """Opens the files; what a killed run wrote beyond its checkpoint is hidden by the purge step."""
        purge = training.position.update + 1 if training.position.update else None
        self._writer = self._make(str(self._folder), purge_step=purge)

    def updated(self, training: Training, updates: Updates) -> None:
        """Losses by update."""
        for name, values in updates.losses.items():
            for i, value in enumerate(values):
                if value == value:
                    self._writer.add_scalar(f"updates/{name}", value, updates.first + i)

    def epoch_ended(self, training: Training, epoch: Epoch) -> None:
        """Metrics, at the update that ended the epoch."""
        for name, value in epoch_row(epoch).items():
            self._writer.add_scalar(name.replace(".", "/"), value, epoch.update)

    def closed(self) -> None:
        """Writes what is still held back, and closes the files."""
        if self._writer is not None:
            self._writer.close()
