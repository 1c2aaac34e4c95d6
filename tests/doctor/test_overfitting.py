"""A validation loss that turns while training goes on falling is named; a healthy run and a noisy one are not."""

import numpy as np
import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
n = {count}
x = torch.randn(n + 400, 20); y = (x[:, 0] + x[:, 1] + 0.8 * torch.randn(n + 400) > 0).long()
tr, va = slice(0, n), slice(n, None)
net = nn.Sequential(nn.Linear(20, {width}), nn.ReLU(), nn.Linear({width}, 2))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
EPOCHS = {epochs}
for epoch in range(EPOCHS):
    for i in torch.randperm(n).split(20):
        opt.zero_grad()
        F.cross_entropy(net(x[i]), y[i]).backward()
        opt.step()
    with torch.no_grad():
        print('val loss', F.cross_entropy(net(x[va]), y[va]).item())
"""


@pytest.mark.craft("TD04", "TD19")
def test_a_validation_loss_that_turns_is_named_at_the_number_of_epochs() -> None:
    program = PROGRAM.format(count=80, width=64, epochs=40)
    finding = found(diagnose_code(program), "overfitting")
    assert finding is not None
    assert finding.where.line == line_of(program, "EPOCHS =")
    lowest, end = (np.array(s.values) for s in finding.series)
    assert lowest[-1] < lowest[0]
    assert end[-1] > 1.25 * end.min()  # as the finding says


@pytest.mark.craft("TD04", "TD19")
@pytest.mark.parametrize(("count", "width", "epochs"), [(800, 8, 6), (80, 64, 4)])
def test_enough_data_or_an_early_stop_are_let_be(count: int, width: int, epochs: int) -> None:
    assert found(diagnose_code(PROGRAM.format(count=count, width=width, epochs=epochs)), "overfitting") is None


def test_a_gap_in_accuracy_beyond_chance_is_named_without_a_course() -> None:
    program = (
        PROGRAM.format(count=40, width=64, epochs=30)
        .replace("    with torch", "with torch")
        .replace(
            "        print('val loss', F.cross_entropy(net(x[va]), y[va]).item())",
            "    print('test accuracy', (net(x[va]).argmax(1) == y[va]).float().mean().item())",
        )
    )
    finding = found(diagnose_code(program), "overfitting")
    assert finding is not None
    assert "accuracy at the end is 100.0% on training data" in finding.evidence


def test_dropout_that_makes_validation_better_than_training_is_let_be() -> None:
    program = PROGRAM.format(count=400, width=32, epochs=12)
    program = program.replace("nn.ReLU(),", "nn.ReLU(), nn.Dropout(0.5),")
    program = program.replace("    for i in torch", "    net.train()\n    for i in torch").replace(
        "    with", "    net.eval()\n    with"
    )
    diagnosis = diagnose_code(program)
    for fault in ("overfitting", "train-eval-gap", "underfitting", "undertrained"):
        assert found(diagnosis, fault) is None, fault
