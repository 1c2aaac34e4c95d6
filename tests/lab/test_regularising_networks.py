import itertools

import pytest

from osler.lab.batch_norm_noise import batch_noise, gap_with_and_without
from osler.lab.sample_size import network_against_classical, network_learning_curve, uncovered_class
from osler.lab.side_heads_claim import side_heads_effect
from osler.lab.structure import Shape, smallest_adequate, structure_grid
from osler.lab.task_sharing import hard_sharing, soft_sharing


@pytest.mark.craft("RE23")
def test_a_shared_trunk_trains_two_tasks_and_lowers_the_gap_on_few_samples():
    claim = hard_sharing(seeds=(0, 1, 2), epochs=15)
    alone, shared = claim.gaps
    assert shared < alone
    assert claim.shared[1] > claim.alone[1]
    assert claim.other_task > 0.85


@pytest.mark.craft("RE24")
def test_the_distance_falls_with_the_coefficient_and_is_free_at_zero():
    rows = soft_sharing((0.0, 1e-3, 1e-2, 1e-1, 1.0))
    assert rows[0].from_alone == 0  # bit for bit the networks that were trained each on its own
    assert all(a.distance > b.distance for a, b in itertools.pairwise(rows))
    assert rows[-1].distance < 0.1 * rows[0].distance
    assert rows[-1].from_alone > 0.1


@pytest.mark.craft("RE27")
def test_auxiliary_heads_give_early_layers_a_larger_gradient_and_are_absent_in_evaluation():
    effect = side_heads_effect()
    assert effect.loss_terms == (1, 3)
    assert effect.answers_in_evaluation == 1
    assert effect.early_gradient[1] > 100 * effect.early_gradient[0] > 0


@pytest.mark.craft("RE30")
def test_more_samples_raise_the_accuracy_and_close_the_gap():
    curve = network_learning_curve((50, 100, 200, 400, 800, 1500), updates=150, seeds=(0, 1))
    tests, gaps = [r.test for r in curve], [r.gap for r in curve]
    assert all(b > a - 0.01 for a, b in itertools.pairwise(tests))
    assert all(b < a + 0.01 for a, b in itertools.pairwise(gaps))
    assert tests[-1] > tests[0] + 0.1
    assert gaps[-1] < 0.4 * gaps[0]


@pytest.mark.craft("RE31")
def test_batch_norm_is_noisy_in_training_by_the_size_of_the_batch_and_still_in_evaluation():
    rows = batch_noise((4, 16, 64, 256))
    noise = [r.training for r in rows]
    assert all(a > b for a, b in itertools.pairwise(noise))
    assert noise[-2] / noise[-1] == pytest.approx(2, rel=0.2)
    assert all(r.evaluation == pytest.approx(0, abs=1e-5) for r in rows)


@pytest.mark.craft("RE31")
def test_batch_norm_narrows_the_gap_between_training_and_held_out_loss():
    gaps = gap_with_and_without(epochs=12, seeds=(0, 1))
    assert gaps["small batches"].gap < gaps["none"].gap
    assert min(g.test_accuracy for g in gaps.values()) > 0.88


@pytest.mark.craft("RE32")
def test_grid_of_widths_and_depths_reports_the_smallest_adequate_network():
    grid = structure_grid((2, 16, 64), (1, 2), epochs=25, seeds=(0, 1, 2))
    assert {(s.width, s.depth) for s in grid.shapes} == {(w, d) for w in (2, 16, 64) for d in (1, 2)}
    by_shape = {(s.width, s.depth): s for s in grid.shapes}
    assert by_shape[2, 1].parameters == 64 * 2 + 2 + 2 * 10 + 10
    for depth in (1, 2):
        assert by_shape[2, depth].train_error > by_shape[16, depth].train_error >= by_shape[64, depth].train_error
    assert all(s.test_error >= s.train_error - 0.02 for s in grid.shapes)
    best = min(s.test_error for s in grid.shapes)
    assert grid.smallest_adequate.test_error < best + 0.03
    assert grid.smallest_adequate.width > 2


@pytest.mark.craft("RE32")
def test_the_smallest_adequate_network_may_be_smaller_than_the_best():
    shapes = [Shape(w, 1, p, 0.0, e, 0.01) for w, p, e in ((1, 10, 0.5), (2, 20, 0.105), (3, 30, 0.1))]
    assert smallest_adequate(shapes, within=0.01).width == 2
    assert smallest_adequate(shapes, within=0.001).width == 3


@pytest.mark.craft("DA23")
def test_a_network_has_no_advantage_with_too_few_samples_and_catches_up_with_more():
    few, many = network_against_classical((20, 600), updates=250)
    assert set(few.accuracies) > {"network", "support vectors", "forest"}
    assert few.lead() < 0
    assert many.lead() > few.lead() + 0.03
    assert all(many.accuracies[way] > few.accuracies[way] for way in few.accuracies)
    assert few.classes_seen < many.classes_seen == 10


@pytest.mark.craft("DA23")
def test_what_the_samples_do_not_cover_is_not_learnt():
    claim = uncovered_class(9, updates=150)
    assert claim.recall_of_missing == 0
    assert claim.recall_of_others > 0.9
