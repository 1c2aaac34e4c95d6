import pytest
from torch import nn

from osler.lab.dropout_claims import co_adaptation, evaluation_is_the_mean, mask_ensemble, one_dropout_step
from osler.lab.dropout_vs_bagging import dropout_vs_bagging
from osler.lab.variance_shift import (
    POSITIONS,
    dropout_positions,
    network_with_dropout,
    shift_ratio,
    uniform_shift_ratio,
    variance_shift_table,
)


@pytest.mark.craft("RE14")
def test_a_plain_step_leaves_dropped_units_exactly_as_they_are():
    step = one_dropout_step()
    assert step.dropped == 0
    assert step.kept > 0
    assert 0.3 < step.dropped_share < 0.7


@pytest.mark.craft("RE14")
@pytest.mark.parametrize("setting", [{"momentum": 0.9}, {"weight_decay": 0.01}])
def test_momentum_and_decay_move_dropped_units(setting):
    assert one_dropout_step(**setting).dropped > 1e-5


@pytest.mark.craft("RE15")
def test_evaluation_is_what_the_mean_over_masks_tends_to():
    claim = evaluation_is_the_mean()
    few, some, many = claim.by_masks.values()
    assert few > 2 * some > 4 * many  # about 1 / sqrt(masks), by a factor of 8 each
    assert many < 0.01
    assert claim.two_kinds < 1e-12
    assert claim.nonlinear > 5 * many  # exact for a linear layer only


@pytest.mark.craft("RE16")
def test_the_average_of_100_masks_is_better_than_one_mask():
    claim = mask_ensemble(masks=100)
    assert claim.average_error < 0.8 * claim.single_error
    assert claim.average_loss < claim.single_loss
    assert 0 < claim.agreement_of_errors < 0.8  # partially independent


@pytest.mark.craft("RE16")
def test_units_trained_with_dropout_lean_less_on_each_other():
    without, with_dropout = co_adaptation(0.0), co_adaptation(0.5)
    assert with_dropout.lost < 0.7 * without.lost
    assert with_dropout.correlation < without.correlation


@pytest.mark.craft("RE17", "RE20")
def test_table_of_positions_over_five_seeds():
    table = {row.position: row for row in dropout_positions(seeds=range(5), epochs=8)}
    assert tuple(table) == POSITIONS
    for row in table.values():
        assert len(row.accuracies) == 5
        assert row.spread > 0
        assert row.mean > 0.85
    assert table["none"].shift == pytest.approx(1.0)
    assert table["before softmax"].shift == pytest.approx(1.0)
    assert table["after each FC"].shift < 0.9
    assert table["before BN"].shift < 0.6


@pytest.mark.craft("RE17", "RE20")
def test_dropout_stands_where_its_position_says():
    def kinds(position):
        return [type(m).__name__ for m in network_with_dropout(position)]

    assert "Dropout" not in kinds("none")
    final = kinds("before softmax")
    assert final.count("Dropout") == 1
    assert final[-2:] == ["Dropout", "Linear"]
    assert "BatchNorm1d" not in final[final.index("Dropout") :]
    early = kinds("before BN")
    assert [early[i + 1] for i, k in enumerate(early) if k == "Dropout"] == ["BatchNorm1d"] * 2
    between = kinds("after each FC")
    assert [between[i + 1] for i, k in enumerate(between) if k == "Dropout"] == ["Linear"] * 2


@pytest.mark.craft("RE19", "RE22")
def test_batch_norm_behind_dropout_sees_another_variance_in_evaluation():
    rows = {r.kind: r for r in variance_shift_table(p=0.5, mean=1.0)}
    assert rows["dropout"].theory == pytest.approx(1 / 3)
    assert rows["dropout"].after_norm == pytest.approx(1 / 3, abs=0.01)
    assert rows["none"].after_norm == pytest.approx(1.0, abs=0.001)
    for row in rows.values():
        assert row.measured == pytest.approx(row.theory, rel=0.03)


@pytest.mark.craft("RE22")
def test_uniform_dropout_hardly_shifts_where_dropout_halves():
    rows = {r.kind: r for r in variance_shift_table(p=0.5, beta=0.1, mean=0.0)}
    assert rows["uniform dropout"].theory == pytest.approx(3 / (3 + 0.1**2)) == pytest.approx(0.9967, abs=1e-4)
    assert rows["uniform dropout"].measured == pytest.approx(0.9967, abs=0.002)
    assert rows["dropout"].theory == 0.5
    assert rows["dropout"].measured == pytest.approx(0.5, abs=0.01)
    assert uniform_shift_ratio(0.0) == shift_ratio(0.0) == 1.0


@pytest.mark.craft("RE18")
def test_dropout_and_bagging_on_the_same_data():
    ways = dropout_vs_bagging(networks=5, epochs=40)
    single, dropout, bagging = (ways[n] for n in ("single", "dropout", "bagging"))
    assert dropout.parameters == single.parameters
    assert bagging.parameters == 5 * single.parameters
    assert bagging.rows_trained == 5 * dropout.rows_trained
    assert bagging.converged == 1.0  # each member is trained to convergence
    assert dropout.converged < 0.8  # members share weights; most were never trained
    assert dropout.members_trained / dropout.members < 1e-20
    assert bagging.members_trained == bagging.members == 5
    assert min(w.accuracy for w in ways.values()) > 0.85
    assert all(w.seconds > 0 for w in ways.values())


@pytest.mark.craft("RE20")
def test_positions_use_the_dropout_asked_for():
    assert [m.p for m in network_with_dropout("before BN", p=0.2) if isinstance(m, nn.Dropout)] == [0.2, 0.2]
