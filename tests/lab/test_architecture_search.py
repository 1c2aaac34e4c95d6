import random
from statistics import fmean

import pytest

from osler.lab.architecture_controller import reinforced_search
from osler.lab.architecture_search import random_search, regularised_evolution
from osler.lab.architecture_space import Architecture, Space, best
from osler.lab.searched_networks import (
    DECISIONS,
    FINEST,
    accuracy,
    cost,
    milliseconds,
    network,
    search,
    search_here,
    space_within,
    stages_of,
    typical_accuracy,
)
from osler.models.cost import multiply_adds
from osler.structures.errors import RecipeError

WAYS = (random_search, regularised_evolution, reinforced_search)
BUDGET = 150_000
SUMS = Space(((0, 1, 2, 3),) * 6, lambda architecture: sum(architecture) <= 14)


def worth(architecture: Architecture) -> float:
    """More with every step up the first decisions, which are worth most; a search can learn that."""
    return 1 + sum((6 - i) * option for i, option in enumerate(architecture))


def by_layers(architecture: Architecture) -> float:
    """Milliseconds of a processor on which each layer takes a tenth, and a million multiply-adds one."""
    return 0.1 * sum(depth for _, depth in stages_of(architecture)) + cost(architecture) / 1e6


@pytest.mark.craft("LW08")
@pytest.mark.parametrize("way", WAYS)
def test_the_network_found_beats_the_median_of_its_space(way) -> None:
    """On digits and from weights that the search did not see."""
    found = search(way, budget=BUDGET, trials=14)
    assert found.accuracy > typical_accuracy(budget=BUDGET, count=11) + 0.05
    assert found.multiply_adds <= BUDGET
    assert len(found.trials) == 14
    assert found.architecture == best(list(found.trials)).architecture
    assert {trial.reward for trial in found.trials} == {accuracy(trial.architecture) for trial in found.trials}


@pytest.mark.craft("LW08")
@pytest.mark.parametrize("way", WAYS)
def test_nothing_beyond_the_limit_is_ever_trained(way) -> None:
    trained: list[Architecture] = []

    def reward(architecture: Architecture) -> float:
        trained.append(architecture)
        return worth(architecture)

    history = way(SUMS, reward, trials=60, seed=3)
    assert [trial.architecture for trial in history] == trained
    assert len(trained) == 60
    assert all(SUMS.allows(architecture) for architecture in trained)
    assert way(SUMS, worth, trials=60, seed=3) == history
    assert way(SUMS, worth, trials=60, seed=4) != history


@pytest.mark.craft("LW08")
@pytest.mark.parametrize("way", WAYS[1:])
def test_evolution_and_the_controller_learn_what_is_worth_trying(way) -> None:
    """The last of their trials are worth more than the first, and than what chance tries."""
    gains = []
    for seed in range(3):
        rewards = [trial.reward for trial in way(SUMS, worth, trials=240, seed=seed)]
        chance = fmean(trial.reward for trial in random_search(SUMS, worth, trials=240, seed=seed))
        gains.append((fmean(rewards[-60:]) - fmean(rewards[:12]), fmean(rewards[-60:]) - chance))
    assert min(min(pair) for pair in gains) > 2


def test_the_oldest_dies_however_good_it_is() -> None:
    """Each child differs in one decision from one that was among the last of the history."""
    history = regularised_evolution(SUMS, worth, trials=50, population=5, seed=1)
    for i in range(5, 50):
        living = [trial.architecture for trial in history[i - 5 : i]]
        changed = [sum(a != b for a, b in zip(history[i].architecture, parent, strict=True)) for parent in living]
        assert 1 in changed
    assert best(history) not in history[-5:]  # kept for ever, it would be a parent still


def test_a_space_without_anything_allowed_says_so() -> None:
    with pytest.raises(RecipeError, match="stays within the budget"):
        space_within(10).draw(random.Random(0))
    lonely = Space(((0, 1), (0, 1)), lambda architecture: architecture == (0, 0))
    assert lonely.mutated((0, 0), random.Random(0)) == (0, 0)


@pytest.mark.craft("LW08")
def test_cost_is_what_is_counted_while_the_network_runs() -> None:
    rng = random.Random(0)
    for _ in range(8):
        architecture = Space(DECISIONS).draw(rng)
        assert cost(architecture) == multiply_adds(network(architecture)[1], 1, FINEST)


@pytest.mark.craft("LW10")
@pytest.mark.parametrize("target", [0.45, 0.6])
def test_latency_is_in_what_is_searched_for(target: float) -> None:
    """Each is measured once; within the target accuracy counts, beyond it is worth as much less as it takes longer."""
    measured: list[Architecture] = []

    def latency(architecture: Architecture) -> float:
        measured.append(architecture)
        return by_layers(architecture)

    found = search_here(random_search, target=target, budget=BUDGET, trials=14, latency=latency)
    assert len(measured) == len(set(measured)) == len({trial.architecture for trial in found.trials})
    slow = [trial for trial in found.trials if by_layers(trial.architecture) > target]
    kept = [trial for trial in found.trials if by_layers(trial.architecture) <= target]
    assert slow
    assert all(t.reward == accuracy(t.architecture) for t in kept)
    for trial in slow:
        assert trial.reward == pytest.approx(accuracy(trial.architecture) * target / by_layers(trial.architecture))
    assert found.milliseconds == by_layers(found.architecture) <= target
    assert found.multiply_adds <= BUDGET
    assert found.architecture == best(kept).architecture


@pytest.mark.craft("LW10")
def test_a_platform_changes_what_is_found() -> None:
    """Where layers take long, the network has fewer than where only multiply-adds do."""

    def by_multiply_adds(architecture: Architecture) -> float:
        return cost(architecture) / 1e6

    deep, shallow = (
        search_here(random_search, target=target, budget=BUDGET, trials=14, latency=latency)
        for target, latency in ((0.15, by_multiply_adds), (0.45, by_layers))
    )
    assert sum(depth for _, depth in stages_of(shallow.architecture)) <= 4
    assert sum(depth for _, depth in stages_of(deep.architecture)) > 4


@pytest.mark.craft("LW10")
def test_where_nothing_keeps_to_the_target_the_fastest_is_taken() -> None:
    found = search_here(random_search, target=0.01, budget=BUDGET, trials=14, latency=by_layers)
    assert found.milliseconds == min(by_layers(trial.architecture) for trial in found.trials) > 0.01


@pytest.mark.craft("LW10")
def test_the_clock_of_this_processor_is_the_default() -> None:
    assert milliseconds((8, 1, 8, 1, 8, 1)) > 0
    found = search_here(random_search, target=1000.0, budget=BUDGET, trials=3)
    assert 0 < found.milliseconds <= 1000
