import numpy as np
import pytest

from osler.metrics.agreement import accuracy
from osler.metrics.choosing import accuracy_trap, choose_metric
from osler.metrics.counts import confusion_matrix

RARE = np.array([0] * 990 + [1] * 10)


@pytest.mark.craft("ME02", "ME07")
def test_the_accuracy_trap_at_one_percent_positives_is_flagged():
    matrix = confusion_matrix(RARE, np.zeros(1000, int), ("healthy", "sick"))
    assert accuracy(matrix) == 0.99
    warning = accuracy_trap(matrix)
    assert "99.0%" in warning
    assert "'healthy'" in warning
    assert "50.0%" in warning  # balanced accuracy


@pytest.mark.craft("ME02")
def test_accuracy_that_can_be_believed_is_not_flagged():
    assert accuracy_trap(confusion_matrix(RARE, RARE, ("healthy", "sick"))) is None
    even = np.arange(1000) % 2
    assert (
        accuracy_trap(confusion_matrix(even, np.zeros(1000, int), ("a", "b"))) is None
    )  # half wrong: nobody is fooled


@pytest.mark.craft("ME07")
@pytest.mark.parametrize(
    ("counts", "need", "name"),
    [
        ([500, 500], "decision", "accuracy"),
        ([990, 10], "decision", "f1"),
        ([900, 80, 20], "decision", "balanced_accuracy"),
        ([500, 500], "ranking", "auc"),
        ([990, 10], "ranking", "map"),
        ([990, 10], "probability", "log_loss"),
        ([10] * 100, "shortlist", "top5"),
        ([500, 500], "agreement", "kappa"),
    ],
)
def test_each_question_has_its_metric(counts, need, name):
    choice = choose_metric(np.array(counts), need=need)
    assert choice.name == name
    assert choice.reason


def test_an_unknown_need_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="shortlist"):
        choose_metric(np.array([1, 1]), need="beauty")
