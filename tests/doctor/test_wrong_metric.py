"""Each way to compute an accuracy wrongly is named at its line; the right ways are not."""

import pytest
from planted import diagnose_code, found, line_of

BINARY = """
x = torch.randn(300, 6); y = (x[:, 0] > 0).float()
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1){end})
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(4):
    for i in torch.randperm(200).split(20):
        opt.zero_grad()
        {loss}(net(x[i]).squeeze(1), y[i]).backward()
        opt.step()
    with torch.no_grad():
        out = net(x[200:])
        right = {right}
    print('epoch', epoch, 'accuracy', right.float().mean().item())
"""
LOGITS, SHARES = "F.binary_cross_entropy_with_logits", "F.binary_cross_entropy"


@pytest.mark.parametrize(
    ("end", "loss", "right", "says"),
    [
        ("", LOGITS, "out.argmax(1) == y[200:]", "always class 0"),
        ("", LOGITS, "out.max(1)[1] == y[200:]", "always class 0"),
        (", nn.Sigmoid()", SHARES, "(torch.sigmoid(out.squeeze(1)) > 0.5).float() == y[200:]", "applies another"),
        ("", LOGITS, "(out.squeeze(1) > 0.5).float() == y[200:]", "probability of 0.62"),
        ("", LOGITS, "(out > 0).float() == y[200:]", "10,000 comparisons"),
    ],
)
def test_answers_that_do_not_fit_one_output_are_named(end: str, loss: str, right: str, says: str) -> None:
    program = BINARY.format(end=end, loss=loss, right=right)
    finding = found(diagnose_code(program), "wrong-metric")
    assert finding is not None
    assert says in finding.evidence
    assert finding.where.line == line_of(program, "right =")


@pytest.mark.parametrize(
    ("end", "loss", "right"),
    [
        ("", LOGITS, "(out.squeeze(1) > 0).float() == y[200:]"),
        ("", LOGITS, "(torch.sigmoid(out.squeeze(1)) > 0.5).float() == y[200:]"),
        (", nn.Sigmoid()", SHARES, "(out.squeeze(1) > 0.5).float() == y[200:]"),
        (", nn.Sigmoid()", SHARES, "out.squeeze(1).round() == y[200:]"),
    ],
)
def test_answers_that_fit_one_output_are_let_be(end: str, loss: str, right: str) -> None:
    assert found(diagnose_code(BINARY.format(end=end, loss=loss, right=right)), "wrong-metric") is None


CLASSES = """
from torch.utils.data import DataLoader, TensorDataset
x = torch.randn(500, 6); y = x[:, :4].argmax(1)
train, val = (DataLoader(TensorDataset(x[k], y[k]), 40) for k in (slice(0, 300), slice(300, 500)))
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(6):
    for a, b in train:
        opt.zero_grad()
        F.cross_entropy(net(a), b).backward()
        opt.step()
    right = count = 0
    with torch.no_grad():
        for a, b in val:
            out = net(a)
            {batch}
    acc = {value}
    print('epoch', epoch, 'val acc %.4f' % acc)
"""


@pytest.mark.parametrize(
    ("batch", "value", "line", "says"),
    [
        ("right = (out.argmax(1) == b).sum().item()", "right / len(b)", "acc =", "last batch"),
        ("right += (out.argmax(1) == b).sum().item()", "right / len(val)", "acc =", "not divided"),
        ("right += (out.argmax(0)[:4] == b[:4]).sum().item()", "right / 20", "argmax(0)", "axis of samples"),
        (
            "h = F.one_hot(b, 4); right += ((out > 0) == h).float().mean().item()",
            "right / len(val)",
            "one_hot",
            "bit by bit",
        ),
    ],
)
def test_an_accuracy_over_the_wrong_things_is_named(batch: str, value: str, line: str, says: str) -> None:
    program = CLASSES.format(batch=batch, value=value)
    finding = found(diagnose_code(program), "wrong-metric")
    assert finding is not None
    assert says in finding.evidence
    assert finding.where.line == line_of(program, line)


@pytest.mark.parametrize(
    ("batch", "value"),
    [
        ("right += (out.argmax(1) == b).sum().item()", "right / 200"),
        ("right += (out.argmax(1) == b).sum().item()", "100 * right / 200"),
        ("right += (out.argmax(1) == b).float().mean().item()", "right / len(val)"),
        ("h = F.one_hot(b, 4); right += ((out == out.amax(1, True)) == h).all(1).sum().item()", "right / 200"),
    ],
)
def test_an_accuracy_over_all_samples_is_let_be(batch: str, value: str) -> None:
    assert found(diagnose_code(CLASSES.format(batch=batch, value=value)), "wrong-metric") is None


TWO = """
x = torch.randn(500, 6); y = (x[:, 0] + 0.5 * torch.randn(500) > 0.8).long()
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(5):
    for i in torch.randperm(300).split(20):
        opt.zero_grad()
        F.cross_entropy(net(x[i]), y[i]).backward()
        opt.step()
    with torch.no_grad():
        out = net(x[300:])
        vloss = F.cross_entropy(out, y[300:]).item()
    said, true = out.argmax(1) == 1, y[300:] == 1
    both = (said & true).sum().item()
    precision, recall = both / max(1, {precision}.sum().item()), both / max(1, {recall}.sum().item())
    print(f'epoch {{epoch}} precision {{precision:.4f}} recall {{recall:.4f}}')
"""


def test_precision_and_recall_the_other_way_round_are_named() -> None:
    program = TWO.format(precision="true", recall="said")
    finding = found(diagnose_code(program), "wrong-metric")
    assert finding is not None
    assert "other way round" in finding.evidence
    assert finding.where.line == line_of(program, "precision, recall =")
    assert found(diagnose_code(TWO.format(precision="said", recall="true")), "wrong-metric") is None
