import pytest
import torch
import torch.nn.functional as F

from osler.losses.choosing import choose_loss, find_mismatches, unsuited
from osler.losses.registry import losses

GENERATOR = torch.Generator().manual_seed(0)
OUTPUTS = torch.randn(32, 5, generator=GENERATOR)
INDICES = torch.randint(5, (32,), generator=GENERATOR)
ONE_HOT = F.one_hot(INDICES, 5).float()
LABELS = (torch.rand(32, 5, generator=GENERATOR) > 0.5).float()


@pytest.mark.craft("LO03")
@pytest.mark.parametrize(
    ("problem", "name"),
    [
        ("class", "cross_entropy"),
        ("labels", "bce"),
        ("numbers", "mse"),
        ("boxes", "giou"),
        ("masks", "dice"),
        ("pairs", "contrastive"),
        ("triplets", "triplet"),
        ("distribution", "kl"),
    ],
)
def test_each_problem_has_a_loss_that_fits_it(problem, name):
    choice = choose_loss(problem)
    assert choice.name == name
    assert choice.reason
    assert problem in losses[name].fits
    assert unsuited(name, problem) is None


@pytest.mark.craft("LO03")
def test_facts_about_the_targets_change_the_choice():
    assert choose_loss("class", imbalance=1000).name == "focal"
    assert choose_loss("labels", imbalance=1000).name == "sigmoid_focal"
    assert "1000 times" in choose_loss("class", imbalance=1000).reason
    assert choose_loss("class", imbalance=20).name == "cross_entropy"
    assert choose_loss("numbers", outliers=0.05).name == "huber"
    with pytest.raises(ValueError, match="weather"):
        choose_loss("weather")


@pytest.mark.craft("LO03")
def test_squares_on_one_hot_rows_are_found():
    (found,) = find_mismatches("mse", OUTPUTS, ONE_HOT)
    assert "one-hot" in found.message
    assert found.better == "cross_entropy"
    assert find_mismatches("mse", OUTPUTS, torch.randn(32, 5)) == []
    assert (
        find_mismatches("mse", OUTPUTS[:, :1], (INDICES[:, None] > 2).float()) == []
    )  # one number is no row of classes


@pytest.mark.craft("LO03")
def test_sigmoids_on_exclusive_classes_are_found():
    (found,) = find_mismatches("bce", OUTPUTS, ONE_HOT)
    assert "exclude" in found.message
    assert found.better == "cross_entropy"
    assert find_mismatches("bce", OUTPUTS, LABELS) == []


@pytest.mark.craft("LO03")
def test_softmax_on_several_labels_is_found():
    assert [m.better for m in find_mismatches("cross_entropy", OUTPUTS, LABELS)] == ["bce"]
    assert find_mismatches("cross_entropy", OUTPUTS, INDICES) == []
    mixed = 0.3 * ONE_HOT + 0.7 * ONE_HOT.flip(0)
    assert find_mismatches("cross_entropy", OUTPUTS, mixed) == []  # mixup's rows still sum to one


def test_probabilities_where_raw_outputs_belong_are_found():
    assert "softmax twice" in find_mismatches("cross_entropy", torch.softmax(OUTPUTS, dim=1), INDICES)[0].message
    assert "sigmoid" in find_mismatches("bce", torch.sigmoid(OUTPUTS), LABELS)[0].message


def test_why_a_loss_does_not_suit_names_the_one_that_does():
    sentence = unsuited("mse", "class")
    assert "numbers" in sentence
    assert "cross_entropy" in sentence
