"""Leaving in good order: SIGTERM and Ctrl-C ask the loop to stop after the update at hand; a second one stops at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from osler.training.state import Training

SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}  # what asks a run to stop, as its record names it


@contextmanager
def stops_in_order(training: Training) -> Iterator[None]:
    """While inside, SIGTERM and Ctrl-C ask the training to stop. In a thread that may not handle signals, does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {s: signal.getsignal(s) for s in SIGNALS}

    def ask(number: int, frame: FrameType | None) -> None:
        training.asked_to_stop = SIGNALS[signal.Signals(number)]
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
