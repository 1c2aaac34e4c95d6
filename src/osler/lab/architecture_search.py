"""Search for networks by chance and by evolution: each architecture that is tried is trained and judged.

Both are told how many architectures they may try, and try none that the space does not allow. The third way, a network
that learns to propose networks, is in `architecture_controller`.
"""

import random
from collections import deque

from osler.lab.architecture_space import Reward, Space, Trial


def random_search(space: Space, reward: Reward, *, trials: int, seed: int = 0) -> list[Trial]:
    """Architectures drawn independently: what every other search has to beat (Li and Talwalkar 2019)."""
    rng = random.Random(seed)
    drawn = (space.draw(rng) for _ in range(trials))
    return [Trial(architecture, reward(architecture)) for architecture in drawn]


def regularised_evolution(
    space: Space, reward: Reward, *, trials: int, population: int = 12, tournament: int = 4, seed: int = 0
) -> list[Trial]:
    """Ageing evolution (Real et al. 2019, "Regularized evolution for image classifier architecture search", algorithm 1).

    After a random population, the best of a few drawn with replacement gets a child that differs in one decision, and
    the oldest dies, whatever it was worth: what stays must be found good again and again.

    Args:
        space: what may be tried.
        reward: trains and judges.
        trials: architectures tried in all, the first population among them.
        population: living at a time.
        tournament: drawn, of which the best has a child.
        seed: of all choices.

    Returns:
        The whole history, in order.
    """
    rng = random.Random(seed)
    history = random_search(space, reward, trials=min(population, trials), seed=seed)
    living = deque(history, maxlen=population)  # who comes in at the right drives the oldest out
    while len(history) < trials:
        parent = max(rng.choices(living, k=tournament), key=lambda trial: trial.reward)
        child = space.mutated(parent.architecture, rng)
        history.append(Trial(child, reward(child)))
        living.append(history[-1])
    return history
