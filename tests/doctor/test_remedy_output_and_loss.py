"""Edits of the last layer and of the loss: the exact text after them."""

import pytest
from patched import changed, patched

NET = """
x, y = torch.randn(32, 8), torch.randint(3, (32,))
class Net(nn.Module):
    def __init__(self, n_out={n_out}):
        super().__init__()
        self.hidden = nn.Linear(8, 16)
        self.out = nn.Linear(16, n_out)  # scores
        self.act = nn.ReLU()
    def forward(self, x):
        x = self.act(self.hidden(x))
        return {end}
net = Net()
criterion = {criterion}
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(3):
    opt.zero_grad()
    loss = criterion(net(x), {target})
    loss.backward()
    opt.step()
"""

CHAIN = """
x, y = torch.randn(32, 8), torch.randint(3, (32,))
model = nn.Sequential(
    nn.Linear(8, 16),
    nn.ReLU(),
    nn.Linear(16, {n_out}),  # scores
    {end}
)
def train(model, optimizer, steps):
    for _ in range(steps):
        output = model(x)
        loss = {loss}
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
train(model, torch.optim.Adam(model.parameters()), 3)
"""


def test_softmax_over_one_unit_becomes_a_sigmoid() -> None:
    program = NET.format(
        n_out=1, end="F.softmax(self.out(x), dim=1)", criterion="nn.BCELoss()", target="(y > 0).float()[:, None]"
    )
    after = patched(program, "softmax-over-one-unit", "F.softmax", layer="out")
    assert after == changed(program, ("F.softmax(self.out(x), dim=1)", "torch.sigmoid(self.out(x))"))
    program = CHAIN.format(
        n_out=1, end="nn.Softmax(dim=1),", loss="F.binary_cross_entropy(output, (y > 0).float()[:, None])"
    )
    after = patched(program, "softmax-over-one-unit", "nn.Softmax", layer="3")
    assert after == changed(program, ("nn.Softmax(dim=1),", "nn.Sigmoid(),"))


def test_two_units_where_classes_are_compared() -> None:
    program = NET.format(
        n_out=1, end="F.log_softmax(self.out(x), dim=1)", criterion="nn.BCELoss()", target="(y > 0).float()[:, None]"
    )
    program += "print((net(x).argmax(1) == (y > 0)).float().mean())\n"
    after = patched(program, "softmax-over-one-unit", "F.log_softmax", layer="out")
    assert after == changed(
        program, ("n_out=1", "n_out=2"), ("F.log_softmax(self.out(x), dim=1)", "self.out(x)"),
        ("nn.BCELoss()", "nn.CrossEntropyLoss()"), ("(y > 0).float()[:, None]", "(y > 0).float()[:, None].flatten().long()"),
    )  # fmt: skip


def test_the_loss_for_scores() -> None:
    program = NET.format(n_out=3, end="self.out(x)", criterion="nn.NLLLoss(weight=torch.ones(3))  # mean", target="y")
    after = patched(program, "logits-into-probability-loss", "criterion =")
    assert after == changed(program, ("nn.NLLLoss(", "nn.CrossEntropyLoss("))
    program = CHAIN.format(n_out=3, end="", loss="F.nll_loss(output, y)")
    after = patched(program, "logits-into-probability-loss", "F.nll_loss")
    assert after == changed(program, ("F.nll_loss", "F.cross_entropy"))


def test_a_softmax_before_a_loss_of_logarithms() -> None:
    program = CHAIN.format(n_out=3, end="nn.Softmax(1),", loss="F.nll_loss(output, y)")
    after = patched(program, "logits-into-probability-loss", "F.nll_loss")
    assert after == changed(program, ("nn.Softmax(1)", "nn.LogSoftmax(dim=1)"))


def test_a_sigmoid_where_answers_are_read_as_probabilities() -> None:
    end = "crop = (model(x) > 0.5)\n"
    program = (
        CHAIN.format(n_out=1, end="", loss="F.binary_cross_entropy(output.clamp(0, 1), (y > 0).float()[:, None])") + end
    )
    after = patched(program, "logits-into-probability-loss", "F.binary")
    assert after == changed(program, ("output.clamp(0, 1)", "torch.sigmoid(output)"))
    program = program.replace(end, "")
    after = patched(program, "logits-into-probability-loss", "F.binary")
    assert after == changed(
        program, ("F.binary_cross_entropy(output.clamp(0, 1)", "F.binary_cross_entropy_with_logits(output")
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [("F.relu(self.out(x))", "self.out(x)"), ("self.act(self.out(x))", "self.out(x)"), ("self.out(x).tanh()", "self.out(x)"),
     ("F.log_softmax(torch.relu(self.out(x)), 1)", "F.log_softmax(self.out(x), 1)")],
)  # fmt: skip
def test_the_activation_on_the_scores_goes(old: str, new: str) -> None:
    criterion = "nn.NLLLoss()" if "log" in old else "nn.CrossEntropyLoss()"
    program = NET.format(n_out=3, end=old, criterion=criterion, target="y")
    assert patched(program, "activation-on-logits", old) == changed(program, (old, new))


def test_the_last_module_of_a_sequential_goes() -> None:
    program = CHAIN.format(n_out=3, end="nn.Tanh(),", loss="F.cross_entropy(output, y)")
    assert patched(program, "activation-on-logits", "nn.Tanh") == changed(program, ("    nn.Tanh(),\n", ""))
    program = (
        program.replace("),  # scores\n    nn.Tanh(),", "), nn.Tanh())")
        .replace("))\n)", "))")
        .replace(",\n    nn.Lin", ", nn.Lin")
    )
    assert patched(program, "activation-on-logits", "nn.Tanh") == changed(program, (", nn.Tanh()", ""))


def test_a_binary_loss_for_one_column() -> None:
    program = NET.format(
        n_out=1,
        end="self.out(x)",
        criterion="nn.CrossEntropyLoss(label_smoothing=0.1)",
        target="(y > 0).float()[:, None]",
    )
    after = patched(program, "wrong-loss", "criterion =", evidence="cross_entropy was given one number")
    assert after == changed(program, ("nn.CrossEntropyLoss(label_smoothing=0.1)", "nn.BCEWithLogitsLoss()"))


def test_class_numbers_under_a_distance() -> None:
    program = CHAIN.format(n_out=1, end="", loss="F.mse_loss(output.squeeze(1), y.float())") + (
        "print('right', (model(x).squeeze(1).round() == y).float().mean().item())\n"
    )
    after = patched(program, "wrong-loss", "F.mse_loss", evidence="the targets of mse_loss are the whole numbers")
    assert after == changed(
        program, ("nn.Linear(16, 1)", "nn.Linear(16, 3)"),
        ("F.mse_loss(output.squeeze(1), y.float())", "F.cross_entropy(output, y.flatten().long())"),
        ("model(x).squeeze(1).round()", "model(x).argmax(1)"),
    )  # fmt: skip


def test_a_sign_that_was_turned() -> None:
    program = CHAIN.format(n_out=3, end="", loss="-F.cross_entropy(output, y)")
    after = patched(
        program, "wrong-loss", "-F.cross", evidence="cross_entropy rises", change="Take the minus away from the loss."
    )
    assert after == changed(program, ("-F.cross", "F.cross"))


def test_the_width_of_the_last_layer_where_it_is_written() -> None:
    program = NET.format(n_out=10, end="self.out(x)", criterion="nn.CrossEntropyLoss()", target="y")
    after = patched(program, "wrong-output-size", "self.out =", layer="out")
    assert after == changed(program, ("n_out=10", "n_out=3"))
    program = CHAIN.format(n_out=4, end="", loss="F.mse_loss(output, x[:, :1])").replace(
        "def train", "import warnings\nwarnings.simplefilter('ignore')\ndef train"
    )
    after = patched(program, "wrong-output-size", "nn.Linear(16", layer="2")
    assert after == changed(program, ("nn.Linear(16, 4)", "nn.Linear(16, 1)"))
