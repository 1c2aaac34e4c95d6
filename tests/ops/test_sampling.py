import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.ops.matching import IGNORED, NEGATIVE
from osler.ops.sampling import HEAD_BALANCE, RPN_BALANCE, Balance, balanced_draw, hard_negatives, hardest_examples


def matches_of(positives, negatives, ignored=50, seed=0):
    together = torch.cat(
        (torch.arange(positives) % 5, torch.full((negatives,), NEGATIVE), torch.full((ignored,), IGNORED))
    )
    return together[torch.randperm(len(together), generator=torch.Generator().manual_seed(seed))]


@pytest.mark.craft("DE20")
@pytest.mark.parametrize(
    ("balance", "positives", "negatives", "expected"),
    [
        (RPN_BALANCE, 1000, 1000, (128, 128)),
        (RPN_BALANCE, 10, 1000, (10, 246)),  # negatives fill what positives leave
        (RPN_BALANCE, 0, 1000, (0, 256)),
        (RPN_BALANCE, 1000, 20, (128, 20)),  # positives never exceed their share
        (HEAD_BALANCE, 1000, 1000, (128, 384)),
        (HEAD_BALANCE, 30, 1000, (30, 482)),
        (Balance(16, 1.0), 40, 40, (16, 0)),
        (RPN_BALANCE, 0, 0, (0, 0)),
    ],
)
def test_counts_of_a_balanced_draw(balance, positives, negatives, expected):
    matches = matches_of(positives, negatives)
    draw = balanced_draw(matches, balance)
    assert (len(draw.positive), len(draw.negative)) == expected
    assert len(draw.both.unique()) == sum(expected)
    assert (matches[draw.positive] >= 0).all()
    assert (matches[draw.negative] == NEGATIVE).all()


@pytest.mark.craft("DE20")
def test_a_draw_is_random_and_repeatable():
    matches = matches_of(1000, 1000)
    first, again = (balanced_draw(matches, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    other = balanced_draw(matches, generator=torch.Generator().manual_seed(4))
    assert torch.equal(first.both, again.both)
    assert not torch.equal(first.both, other.both)
    counts = torch.zeros(len(matches))
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        counts[balanced_draw(matches, generator=generator).positive] += 1
    drawn = counts[matches >= 0]
    assert float(drawn.mean()) == pytest.approx(200 * 0.128)
    assert float(drawn.std()) < 7  # binomial: 4.7


def test_a_balance_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="share from 0 to 1"):
        Balance(256, 1.5)


@pytest.mark.craft("DE31", "DE35")
@settings(max_examples=40)
@given(st.integers(0, 8), st.integers(0, 40), st.integers(0, 10**6), st.booleans())
def test_exactly_three_negatives_for_each_positive_hardest_first(positives, negatives, seed, equal):
    matches = matches_of(positives, negatives, 7, seed)
    losses = torch.rand(len(matches), generator=torch.Generator().manual_seed(seed + 1))
    losses[matches >= 0] += 5  # positives and ignored anchors have the greatest losses, and are no negatives
    losses[matches == IGNORED] += 9
    if equal:
        losses[matches == NEGATIVE] = 0.5
    chosen = hard_negatives(losses, matches)
    assert int(chosen.sum()) == min(3 * positives, negatives)
    assert (matches[chosen] == NEGATIVE).all()
    left = (matches == NEGATIVE) & ~chosen
    if chosen.any() and left.any():
        assert losses[chosen].min() >= losses[left].max()


@pytest.mark.craft("DE35")
def test_hard_negatives_are_counted_for_each_picture():
    matches = torch.tensor([[0, -1, -1, -1, -1, -1], [-1, -1, -1, -1, -1, -1], [0, 1, -1, -2, -1, -1]])
    losses = torch.tensor([[9.0, 1, 5, 2, 4, 3]]).repeat(3, 1)
    chosen = hard_negatives(losses, matches)
    assert chosen[0].nonzero().flatten().tolist() == [2, 4, 5]
    assert not chosen[1].any()
    assert chosen[2].nonzero().flatten().tolist() == [2, 4, 5]
    assert hard_negatives(losses, matches, ratio=1)[0].nonzero().flatten().tolist() == [2]


@pytest.mark.craft("DE35")
def test_online_hard_examples_are_the_hardest_that_do_not_repeat_a_harder_one():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 5], [50, 50, 60, 60], [80, 80, 90, 90]])
    losses = torch.tensor([3.0, 9.0, 8.0, 1.0, 2.0])
    assert hardest_examples(losses, boxes, count=3).tolist() == [1, 2, 4]
    assert hardest_examples(losses, boxes).tolist() == [1, 2, 4, 3]
    assert hardest_examples(losses, boxes, overlap=1.0, count=3).tolist() == [1, 2, 0]
