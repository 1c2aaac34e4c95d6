"""What a search for networks chooses from: one option at each decision, and a limit on what is allowed."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from osler.structures.errors import RecipeError

Architecture = tuple[int, ...]  # the option taken at each decision
DRAWS = 1000  # random architectures looked at before a limit counts as one that nothing meets


def everything(architecture: Architecture) -> bool:
    """No limit."""
    return True


@dataclass(frozen=True, slots=True)
class Space:
    """Decisions, each with its options. `allows` says which architectures may be trained at all."""

    decisions: tuple[tuple[int, ...], ...]
    allows: Callable[[Architecture], bool] = everything

    def draw(self, rng: random.Random) -> Architecture:
        """An allowed architecture, all equally likely.

        Raises:
            RecipeError: none was allowed among so many.
        """
        for _ in range(DRAWS):
            architecture = tuple(rng.choice(options) for options in self.decisions)
            if self.allows(architecture):
                return architecture
        raise RecipeError(f"None of {DRAWS} random architectures stays within the budget. Allow more, or smaller ones.")

    def mutated(self, parent: Architecture, rng: random.Random) -> Architecture:
        """An allowed architecture that differs from its parent in one decision, all such equally likely.

        A parent that nothing allowed is next to is handed back.
        """
        near = [
            (*parent[:i], option, *parent[i + 1 :])
            for i, options in enumerate(self.decisions)
            for option in options
            if option != parent[i]
        ]
        allowed = [architecture for architecture in near if self.allows(architecture)]
        return rng.choice(allowed) if allowed else parent


@dataclass(frozen=True, slots=True)
class Trial:
    """An architecture that was trained, and what it was worth."""

    architecture: Architecture
    reward: float


Reward = Callable[[Architecture], float]  # trains and judges; the larger the better


def best(trials: list[Trial]) -> Trial:
    """The first of the largest reward."""
    return max(trials, key=lambda trial: trial.reward)
