"""Scores in place of (log-)probabilities are told; what is normalised is not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x, y = torch.randn(64, 8), torch.randint(3, (64,))
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, {units}){last})
opt = torch.optim.SGD(net.parameters(), lr=0.1)
criterion = {loss}
for step in range(8):
    opt.zero_grad()
    loss = criterion(net(x), {target})
    loss.backward()
    opt.step()
"""
YES_OR_NO = "(y > 0).float().unsqueeze(1)"


def program(units: int, last: str, loss: str, target: str) -> str:
    return PROGRAM.format(units=units, last=last, loss=loss, target=target)


@pytest.mark.parametrize("last", ["", ", nn.Softmax(dim=1)"])
def test_nll_loss_of_what_is_no_logarithm(last: str) -> None:
    sick = program(3, last, "nn.NLLLoss()", "y")
    finding = found(diagnose_code(sick), "logits-into-probability-loss")
    assert finding is not None
    assert finding.severity == "critical"
    assert finding.where.line == line_of(sick, "nn.NLLLoss")


def test_bce_that_refuses_scores() -> None:
    finding = found(diagnose_code(program(1, "", "nn.BCELoss()", YES_OR_NO)), "logits-into-probability-loss")
    assert finding is not None
    assert "takes probabilities" in finding.evidence


def test_scores_cut_to_probabilities() -> None:
    sick = program(1, "", "lambda a, b: F.binary_cross_entropy(a.clamp(1e-3, 1 - 1e-3), b)", YES_OR_NO)
    assert found(diagnose_code(sick), "logits-into-probability-loss") is not None


@pytest.mark.parametrize(
    ("units", "last", "loss", "target"),
    [
        (3, ", nn.LogSoftmax(dim=1)", "nn.NLLLoss()", "y"),
        (1, ", nn.Sigmoid()", "nn.BCELoss()", YES_OR_NO),
        (1, ", nn.Sigmoid()", "lambda a, b: F.binary_cross_entropy(a.clamp(1e-3, 1 - 1e-3), b)", YES_OR_NO),
        (3, "", "lambda a, b: F.nll_loss(torch.log(torch.softmax(a, 1)), b)", "y"),
    ],
)
def test_normalised_outputs_are_let_be(units: int, last: str, loss: str, target: str) -> None:
    assert found(diagnose_code(program(units, last, loss, target)), "logits-into-probability-loss") is None
