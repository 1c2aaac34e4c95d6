"""One answer for every input is named, of classes and of numbers; answers that vary are not."""

import pytest
from planted import diagnose_code, found

PROGRAM = """
x = torch.randn(300, 6); y = {labels}
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, {outputs}))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
{before}
for epoch in range(4):
    for i in torch.randperm(200).split(20):
        opt.zero_grad()
        {loss}(net(x[i]{scale}), y[i]).backward()
        opt.step()
    with torch.no_grad():
        print({loss}(net(x[200:]{scale}), y[200:]).item())
"""
CLASSES = {"labels": "(x[:, 0] * 2).clamp(-1, 1).round().long() + 1", "outputs": 3, "loss": "F.cross_entropy"}
NUMBERS = {"labels": "x[:, :1] * 2", "outputs": 1, "loss": "F.mse_loss"}


@pytest.mark.parametrize("task", [CLASSES, NUMBERS])
def test_one_answer_for_everything_is_named(task: dict[str, object]) -> None:
    finding = found(diagnose_code(PROGRAM.format(**task, before="", scale=" * 0")), "constant-prediction")
    assert finding is not None
    assert finding.where.layer == "2"


@pytest.mark.parametrize("task", [CLASSES, NUMBERS])
def test_answers_that_vary_are_let_be(task: dict[str, object]) -> None:
    assert found(diagnose_code(PROGRAM.format(**task, before="", scale="")), "constant-prediction") is None


def test_a_class_that_nearly_all_labels_have_is_let_be() -> None:
    task = {**CLASSES, "labels": "(torch.arange(300) % 25 == 0).long()", "outputs": 2}
    assert found(diagnose_code(PROGRAM.format(**task, before="", scale="")), "constant-prediction") is None
