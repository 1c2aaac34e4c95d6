"""Why a program crashed, in plain words: the errors of PyTorch that come of a few well-known mistakes."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from osler.doctor.case import Case
from osler.doctor.crash_patterns import READINGS
from osler.doctor.crash_readings import Reading
from osler.vitals.evidence import LayerSeen

__all__ = ["Reading", "read_crash"]


@dataclass(frozen=True)
class Pattern:
    """An error's text, and what it says."""

    text: re.Pattern[str]
    read: Callable[["re.Match[str]", "LayerSeen | None", Case], Reading]


PATTERNS = [Pattern(re.compile(text, re.DOTALL), read) for text, read in READINGS]


def read_crash(case: Case) -> Reading | None:
    """What is known of the error that ended the program; None where it is none of those."""
    for pattern in PATTERNS:
        match = pattern.text.search(case.evidence.ending.error)
        if match is not None:
            return pattern.read(match, failing_layer(case), case)
    return None


def failing_layer(case: Case) -> LayerSeen | None:
    """The layer whose forward was running, the innermost that is known."""
    for name in reversed(case.evidence.ending.layers):
        for model in case.evidence.models:
            layer = model.layers.get(name) or (model.layers.get("") if name == model.kind else None)
            if layer is not None:
                return layer
    return None
