"""Activations after the last layer are told; those of hidden layers and before pooling are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x, y = torch.randn(64, 8), torch.randint(4, (64,))
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.b = nn.Linear(16, 4)
        self.act = nn.ReLU()
    def forward(self, x):
        x = self.act(self.a(x))
        return {last}
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(4):
    opt.zero_grad()
    loss = {loss}
    loss.backward()
    opt.step()
"""
ENTROPY = "F.cross_entropy(net(x), y)"


@pytest.mark.craft("TD07")
@pytest.mark.parametrize(
    ("last", "loss"),
    [
        ("F.relu(self.b(x))", ENTROPY),
        ("torch.tanh(self.b(x))", ENTROPY),
        ("F.log_softmax(F.relu(self.b(x)), 1)", "F.nll_loss(net(x), y)"),
        ("F.relu(self.b(x))", "F.binary_cross_entropy_with_logits(net(x), F.one_hot(y, 4).float())"),
    ],
)
def test_a_function_after_the_last_layer(last: str, loss: str) -> None:
    program = PROGRAM.format(last=last, loss=loss)
    finding = found(diagnose_code(program), "activation-on-logits")
    assert finding is not None
    assert finding.severity == "critical"
    assert (finding.where.layer, finding.where.line) == ("b", line_of(program, last))


def test_a_module_after_the_last_layer() -> None:
    finding = found(diagnose_code(PROGRAM.format(last="self.act(self.b(x))", loss=ENTROPY)), "activation-on-logits")
    assert finding is not None
    assert finding.where.layer == "act"


@pytest.mark.parametrize(
    ("last", "loss"),
    [
        ("self.b(x)", ENTROPY),
        ("F.log_softmax(self.b(x), 1)", "F.nll_loss(net(x), y)"),
        ("torch.sigmoid(self.b(x))", "F.binary_cross_entropy(net(x), F.one_hot(y, 4).float())"),
        ("F.relu(self.b(x))", "F.mse_loss(net(x), F.one_hot(y, 4).float())"),
        ("30 * torch.tanh(self.b(x) / 30)", ENTROPY),  # scores held within 30
        ("F.relu(self.b(x).unsqueeze(2).expand(-1, 4, 3)).mean(2)", ENTROPY),  # SqueezeNet's end
    ],
)
def test_free_scores_are_let_be(last: str, loss: str) -> None:
    assert found(diagnose_code(PROGRAM.format(last=last, loss=loss)), "activation-on-logits") is None
