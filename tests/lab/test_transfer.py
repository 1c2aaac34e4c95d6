import pytest
from torch import nn

from osler.lab.transfer import accuracy_by_cut, as_feature_extractor, convnet, fine_tuning, freeze


@pytest.mark.craft("DA17")
def test_a_fixed_extractor_stays_exactly_as_it_is_and_sees_each_picture_once():
    claim = as_feature_extractor(samples=100, epochs=50)
    assert claim.moved == 0  # parameters and the statistics of batch norm
    assert claim.pictures_passed == 100 + 400  # not times the classifier's epochs
    assert claim.code_size == 64
    assert claim.accuracy > 0.7


@pytest.mark.craft("DA18")
def test_the_freeze_report_names_and_counts_what_learns():
    model = convnet(10)
    report = freeze(model, ["stages.0", "stages.1"])
    assert report.frozen_count + report.trainable_count == sum(p.numel() for p in model.parameters())
    assert report.frozen_count == sum(p.numel() for m in report.modules for p in m.parameters())
    assert all(n.startswith(("stages.0", "stages.1")) for n in report.frozen)
    assert {"head.weight", "head.bias"} <= set(report.trainable)
    assert all(p.requires_grad == (n in report.trainable) for n, p in model.named_parameters())
    assert freeze(model, []).frozen == ()
    with pytest.raises(AttributeError):
        freeze(model, ["stages.9"])


@pytest.mark.craft("DA18")
def test_fine_tuning_part_or_all_beats_starting_from_nothing_with_few_updates():
    rows = {(r.samples, r.way): r for r in fine_tuning((50, 500), seeds=(0, 1))}
    assert rows[50, "everything"].mean > rows[50, "from nothing"].mean
    assert rows[50, "head and last stage"].mean > rows[50, "from nothing"].mean
    for way in ("head and last stage", "everything", "from nothing"):
        assert rows[500, way].mean > rows[50, way].mean
    rates = rows[50, "everything"].rates
    assert sorted(rates) == pytest.approx([3e-4, 9e-4, 3e-3])
    counts = [rows[50, w].report.trainable_count for w in ("head", "head and last stage", "everything")]
    assert counts == sorted(set(counts))


@pytest.mark.craft("DA18")
@pytest.mark.slow
def test_the_gain_of_fine_tuning_is_largest_with_fewest_samples():
    rows = {(r.samples, r.way): r.mean for r in fine_tuning((50, 150, 500), seeds=range(6))}
    gains = {n: rows[n, "everything"] - rows[n, "from nothing"] for n in (50, 150, 500)}
    assert gains[50] > 0.01
    assert gains[50] > gains[500]


@pytest.mark.craft("DA19")
def test_early_layers_are_general_and_late_ones_belong_to_their_classes():
    cuts = accuracy_by_cut()
    assert [c.layer for c in cuts] == ["stages.0", "stages.1", "stages.2", "head"]
    early, *_, head = cuts
    assert abs(early.specificity) < 0.05
    assert head.specificity > 0.15
    assert cuts[2].specificity > early.specificity
    assert early.new > 0.9
    assert head.new < min(c.new for c in cuts[:-1])
    assert head.known > 0.95


@pytest.mark.craft("DA17")
def test_frozen_batch_norm_learns_no_statistics():
    import torch

    from osler.lab.plain_training import fit

    model = convnet(3)
    report = freeze(model, ["stages"])
    before = {k: v.clone() for k, v in model.stages.state_dict().items()}
    fit(model, 5 + torch.randn(40, 1, 8, 8), torch.arange(40) % 3, epochs=2, frozen=report.modules)
    assert all(torch.equal(v, before[k]) for k, v in model.stages.state_dict().items())
    assert any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
