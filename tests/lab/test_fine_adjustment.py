import pytest

from osler.lab.fine_adjustment import errors_by_iou, log_of_ratios


@pytest.mark.craft("DE24")
def test_the_logarithm_is_linear_near_1_only():
    table = {row.ratio: row for row in log_of_ratios()}
    errors = {ratio: round(100 * row.error) for ratio, row in table.items()}
    assert errors == {1.1: 5, 1.2: 10, 2.0: 44, 0.5: 28}
    assert table[2.0].log == pytest.approx(0.693, abs=1e-3)
    assert table[2.0].linear == 1


@pytest.mark.craft("DE24")
def test_a_linear_regressor_errs_more_the_less_a_proposal_overlaps():
    table = errors_by_iou()
    errors = [row.error for row in table]
    assert all(row.proposals > 100 for row in table)
    assert errors == sorted(errors)  # near proposals first
    assert errors[-1] > 20 * errors[0]
    middling = [row for row in table if 0.5 <= row.low < 0.8]
    assert all(row.after > row.before + 0.2 for row in middling)  # what is near is adjusted well


@pytest.mark.craft("DE24")
def test_training_on_far_proposals_spoils_near_ones():
    """Trained on all, the regressor spends itself on what is not linear, and still errs most there."""
    near, every = errors_by_iou(trained_from=0.6), errors_by_iou(trained_from=0.0)
    for row, other in zip(near[:5], every[:5], strict=True):
        assert row.error < other.error / 2 or row.low < 0.6
        assert row.after > other.after
    assert every[0].after < every[0].before  # what lay well is moved away
    assert every[-1].error == max(row.error for row in every)


@pytest.mark.parametrize("ratio", [0.0, -1.0, 1.0])
def test_ratios_without_an_error_are_refused(ratio):
    with pytest.raises(ValueError, match="above 0"):
        log_of_ratios([ratio])
