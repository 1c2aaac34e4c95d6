import pytest
import torch

from osler.lab.fewer_parameters import low_rank, parameter_reductions, pruned, quantised, reduction_table


@pytest.mark.craft("LW13")
def test_each_way_has_fewer_parameters_or_fewer_bytes() -> None:
    rows = {row.way: row for row in parameter_reductions()}
    c = 256
    counts = {
        "1x1 around the kernel": (9 * c * c, 2 * c * 64 + 9 * 64 * 64),
        "small kernels in a row": (25 * c * c, 2 * 9 * c * c),
        "factorised kernel": (49 * c * c, 2 * 7 * c * c),
        "depthwise-separable": (9 * c * c, 9 * c + c * c),
        "global average pooling": (7 * 7 * 512 * 1000, 512 * 1000),
        "shared weights": (14 * 14 * 9 * 32 * 32, 9 * 32 * 32),
        "low rank": (c * c, 2 * c * 32),
        "pruning": (c * c, round(0.2 * c * c)),
        "quantisation": (c * c, c * c),
    }
    assert {way: (row.before, row.after) for way, row in rows.items()} == counts
    assert all(row.times > 1.3 for row in rows.values())
    assert rows["quantisation"].times == pytest.approx(4, abs=0.01)
    assert rows["pruning"].times < 5, "the places of what is left have to be stored as well"
    for way in ("low rank", "pruning", "quantisation"):
        before, after = rows[way].accuracy
        assert before > 0.92
        assert after > before - 0.03
    table = reduction_table(list(rows.values()))
    assert all(f"{row.after:,}" in table for row in rows.values())
    assert len(table.splitlines()) == 10


@pytest.mark.craft("LW13")
def test_the_three_approximations_do_what_they_say() -> None:
    torch.manual_seed(0)
    weight = torch.randn(20, 30)
    left, right = low_rank(weight, 5)
    assert (left.shape, right.shape) == ((20, 5), (5, 30))
    rest = torch.linalg.svdvals(weight)[5:].norm()
    torch.testing.assert_close((weight - left @ right).norm(), rest)
    kept = pruned(weight, 0.9)
    assert int(kept.count_nonzero()) == 60
    assert weight.abs()[kept == 0].max() <= kept[kept != 0].abs().min()
    whole, step = quantised(weight)
    assert whole.dtype == torch.int8
    assert int(whole.abs().max()) == 127
    assert float((whole * step - weight).abs().max()) <= step / 2 * 1.001
