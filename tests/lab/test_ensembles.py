import pytest
import torch

from osler.lab.ensembles import (
    average,
    bagging_against_one_tree,
    combine_networks,
    fair_weights,
    variance_of_the_mean,
    vote,
    weighted_vote,
)


@pytest.mark.craft("RE26")
def test_votes_are_counted_weighed_and_averaged():
    labels = torch.tensor([[0, 1, 2], [0, 2, 2], [1, 2, 0]])
    assert vote(labels, 3).tolist() == [0, 2, 2]
    assert weighted_vote(labels, torch.tensor([1.0, 1.0, 3.0]), 3).tolist() == [1, 2, 0]
    assert vote(torch.tensor([[2], [1]]), 3).tolist() == [1]  # a tie: the smallest class
    sure, doubtful = torch.tensor([[0.9, 0.1]]), torch.tensor([[0.4, 0.6]])
    assert average(torch.stack([sure, doubtful, doubtful])).tolist() == [0]  # a sure one outweighs two doubtful ones


@pytest.mark.craft("RE26")
def test_independent_voters_are_better_together_and_best_by_their_weights():
    generator = torch.Generator().manual_seed(0)
    skill = torch.tensor([0.9, 0.6, 0.6, 0.6, 0.6])
    truth = torch.randint(2, (20_000,), generator=generator)
    wrong = torch.rand(5, 20_000, generator=generator) > skill[:, None]
    labels = torch.where(wrong, 1 - truth, truth)
    plain = (vote(labels, 2) == truth).float().mean().item()
    fair = (weighted_vote(labels, fair_weights(skill), 2) == truth).float().mean().item()
    equal = (labels[1:4] == truth).float().mean().item()
    three = (vote(labels[1:4], 2) == truth).float().mean().item()
    assert three == pytest.approx(0.6**3 + 3 * 0.6**2 * 0.4, abs=0.01)
    assert three > equal
    assert fair > plain + 0.05
    assert fair >= 0.895  # never worse than the best voter


@pytest.mark.craft("RE26")
def test_the_variance_of_the_mean_is_one_kth_for_independent_errors_and_falls_less_with_correlation():
    rows = variance_of_the_mean()
    for row in rows:
        assert row.measured == pytest.approx(row.theory, rel=0.05)
    alone = {r.members: r.measured for r in rows if r.correlation == 0}
    assert all(v == pytest.approx(1 / k, rel=0.05) for k, v in alone.items())
    of_ten = [r.measured for r in rows if r.members == 10]
    assert of_ten == sorted(of_ten)
    assert of_ten[-1] == pytest.approx(1, rel=0.05)


@pytest.mark.craft("RE26")
def test_combined_networks_beat_their_mean_member():
    combined = combine_networks(members=5)
    typical = sum(combined.members) / 5
    assert min(combined.vote, combined.weighted_vote, combined.average) > typical + 0.02
    assert combined.average > max(combined.members)


@pytest.mark.craft("RE25")
def test_bagging_lowers_the_variance_of_a_tree():
    claim = bagging_against_one_tree()
    assert claim.bagged[1] < 0.65 * claim.tree[1]
    assert claim.bagged[2] < 0.65 * claim.tree[2]
    assert claim.bagged[0] < 0.01  # the bias stays small
