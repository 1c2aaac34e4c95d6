"""A change of a recipe that was tried because of a finding, and what it brought: what a run's record and report tell of healing."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class TriedChange:
    """A word of a recipe that was changed for a short trial; the figure of the trial without it and with it."""

    fault: str
    evidence: str  # of the finding behind it
    key: str
    before: str
    after: str
    metric: str
    score_before: float  # NaN: there was none, as where the loss was no number
    score_after: float
    kept: bool
    steps: int = 0  # updates of the trial
    problem: str = ""  # why the trial came to no figure

    def as_json(self) -> dict[str, Any]:
        """For a run's record."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "TriedChange":
        """What `as_json` gave."""
        return cls(**content)

    @property
    def outcome(self) -> str:
        """What it brought, in words."""
        if self.problem:
            return self.problem
        scores = f"{self.metric} {_said(self.score_before)} to {_said(self.score_after)}"
        return scores if self.kept else f"{scores}: it did not help, and was taken back"

    def __str__(self) -> str:
        return f"{self.fault} ({self.evidence}): {self.key}={self.before} became {self.after}; {self.outcome}"


@dataclass(frozen=True, slots=True)
class Healing:
    """What short trials of a recipe showed to help: its words, and a figure of the recipe without them and with them."""

    words: dict[str, str]  # by key; empty where nothing helped
    metric: str
    before: float
    after: float
    saved: Path | None = None  # where the healed recipe was written
    stopped: str = ""  # why no more was tried, where something was left to try


def _said(score: float) -> str:
    return f"{score:.4g}" if math.isfinite(score) else "(no number)"
