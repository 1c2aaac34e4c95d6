"""The curves in a script's own output, read by their words."""

import math

import pytest

from osler.doctor.printed import Printed

LINES = {
    "epoch 3 loss 0.41 val acc: 0.87": {("loss", ""): 0.41, ("accuracy", "evaluation"): 0.87},
    "Test accuracy: 83.1%": {("accuracy", "evaluation"): 0.831},
    "Epoch 5/50 - val_loss: 0.57623": {("loss", "evaluation"): 0.57623},
    "{'epoch': 3, 'trainLoss': 0.4, 'val_acc': tensor(0.9)}": {("loss", "train"): 0.4, ("accuracy", "evaluation"): 0.9},
    "epoch   5: train loss 0.462 acc 0.847; val loss 0.535 acc 0.803": {
        ("loss", "train"): 0.462,
        ("accuracy", "train"): 0.847,
        ("loss", "evaluation"): 0.535,
        ("accuracy", "evaluation"): 0.803,
    },
    "epoch 1: loss 1.4106  train 0.703  test accuracy 0.6840": {
        ("loss", ""): 1.4106,
        ("accuracy", "train"): 0.703,
        ("accuracy", "evaluation"): 0.684,
    },
    "precision 0.323 recall 1.000 F1 0.488": {("precision", ""): 0.323, ("recall", ""): 1.0, ("f1", ""): 0.488},
    "12:33:01 INFO acc@1 0.9": {("accuracy", ""): 0.9},
}


@pytest.mark.parametrize(("line", "expected"), LINES.items())
def test_numbers_go_by_the_words_before_them(line: str, expected: dict[tuple[str, str], float]) -> None:
    read = {(s.kind, s.part): float(s.shares[0]) for s in Printed([line]).series if s.kind not in ("", "counter")}
    assert read == pytest.approx(expected)


def test_lines_that_read_alike_make_a_series() -> None:
    printed = Printed(
        ["hello", *(f"epoch {k} loss {1 / (k + 1):.4f}" for k in range(5)), "done in 3 s", "final loss nan"]
    )
    (losses,) = printed.of("loss", least=5)
    assert losses.values == pytest.approx([1, 0.5, 0.3333, 0.25, 0.2])
    assert losses.lines == [1, 2, 3, 4, 5]
    assert any(math.isnan(s.values[0]) for s in printed.of("loss") if len(s.values) == 1)


def test_a_table_takes_its_words_from_its_head() -> None:
    printed = Printed(["epoch  train_loss  val_acc", "1  0.9  0.5", "2  0.7  0.6"])
    assert [s.values for s in printed.of("accuracy", "evaluation")] == [[0.5, 0.6]]
    assert [s.values for s in printed.of("loss", "train")] == [[0.9, 0.7]]


def test_progress_bars_are_passed_over() -> None:
    assert Printed(["100%|#######| 40/40 [00:01<00:00, 37.2it/s, loss=0.3]", " 3/40 [==>...] 8.1s/it"]).series == []
