"""Layers in lists and dicts are told, with the attribute and its line; registered and frozen ones are not."""

import pytest
from planted import diagnose_code, found, line_of

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 8)
        {layers}
        self.last = nn.Linear(8, 3)
    def forward(self, x):
        x = torch.relu(self.first(x))
        {call}
        return self.last(x)
x, y = torch.randn(64, 6), torch.randint(3, (64,))
net = Net()
opt = torch.optim.Adam({held}, lr=1e-2)
for step in range(5):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""
CALL = "for layer in self.hidden: x = torch.relu(layer(x))"
OF_DICT = "x = torch.relu(self.hidden['a'](x))"
ALL = "net.parameters()"


@pytest.mark.parametrize(
    ("layers", "call", "name"),
    [
        ("self.hidden = [nn.Linear(8, 8) for _ in range(3)]", CALL, "hidden"),
        ("self.hidden = {'a': nn.Linear(8, 8), 'b': nn.ReLU()}", OF_DICT, "hidden"),
        (
            "self.hidden = []\n        for _ in range(2):\n            self.hidden.append(nn.Linear(8, 8))",
            CALL,
            "hidden",
        ),
        ("self.pairs = [(nn.Linear(8, 8), nn.ReLU())]", "for f, g in self.pairs: x = g(f(x))", "pairs"),
        ("self.shift = [nn.Parameter(torch.randn(8, 8))]", "x = x @ self.shift[0]", "shift"),
    ],
)
def test_what_the_module_cannot_see(layers: str, call: str, name: str) -> None:
    sick = NET.format(layers=layers, call=call, held=ALL)
    finding = found(diagnose_code(sick), "unregistered-layers")
    assert finding is not None
    assert finding.severity == "critical"
    assert finding.where.layer == name
    assert finding.where.line == line_of(sick, f"self.{name} = ")


@pytest.mark.parametrize(
    ("layers", "call", "held"),
    [
        ("self.hidden = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])", CALL, ALL),
        ("self.hidden = nn.ModuleDict({'a': nn.Linear(8, 8)})", OF_DICT, ALL),
        ("self.hidden = [nn.Linear(8, 8).requires_grad_(False)]", CALL, ALL),
        ("self.hidden = [nn.Linear(8, 8)]", CALL, "[*net.parameters(), *net.hidden[0].parameters()]"),
    ],
)
def test_what_is_registered_frozen_or_held_otherwise(layers: str, call: str, held: str) -> None:
    assert found(diagnose_code(NET.format(layers=layers, call=call, held=held)), "unregistered-layers") is None
