"""Edits of the calls of an update, of what the optimizer holds, and of the sum of the loss: the exact text after them."""

import pytest
from patched import changed, patched

LOOP = """
x, y = torch.randn(32, 8), torch.randint(3, (32,))
net = nn.Linear(8, 3)
opt = torch.optim.SGD(net.parameters(), lr={rate})
for epoch in range(2):
    {outer}
    for part in torch.randperm(32).split(8):
        loss = F.cross_entropy(net(x[part]), y[part])
        {calls}
    {end}
"""

TRAINER = """
x, y = torch.randn(32, 8), torch.randint(3, (32,))
class Trainer:
    def __init__(self, model, lr=0.1):
        self.model = model
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr)
        {late}
    def update(self, xb, yb):
        {update}
        return loss
    def fit(self, epochs):
        for epoch in range(epochs):
            for i in range(0, 32, 8):
                self.update(x[i:i + 8], y[i:i + 8])  # one batch
Trainer(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))).fit(2)
"""


def loop(*calls: str, outer: str = "pass", end: str = "pass", rate: str = "0.1") -> str:
    """The loop with these calls after the loss."""
    return LOOP.format(rate=rate, outer=outer, end=end, calls="\n        ".join(calls))


RIGHT = ("opt.zero_grad()", "loss.backward()", "opt.step()")


@pytest.mark.parametrize(
    "sick",
    [loop("loss.backward()", "opt.step()"), loop("opt.zero_grad", "loss.backward()", "opt.step()")],
    ids=["never", "not called"],
)
def test_gradients_are_cleared(sick: str) -> None:
    assert patched(sick, "missing-zero-grad", "loss.backward") == loop(*RIGHT)


def test_clearing_once_an_epoch_moves_into_the_loop() -> None:
    sick = loop("loss.backward()", "opt.step()", outer="opt.zero_grad()  # fresh")
    after = patched(sick, "missing-zero-grad", "opt.zero_grad")
    assert after == changed(
        loop("opt.zero_grad()  # fresh", "loss.backward()", "opt.step()"), ("    pass\n    for", "    for")
    )


def test_updates_by_hand_are_cleared() -> None:
    sick = loop(
        "loss.backward()", "with torch.no_grad():", "    for p in net.parameters():", "        p -= 0.1 * p.grad"
    )
    after = patched(sick, "missing-zero-grad", "loss.backward")
    line = "                p -= 0.1 * p.grad\n"
    assert after == changed(sick, (line, line + "                p.grad.zero_()\n"))


@pytest.mark.parametrize(
    ("calls", "end"),
    [
        (("loss.backward()", "opt.zero_grad()", "opt.step()"), "pass"),
        (("opt.zero_grad()", "opt.step()", "loss.backward()"), "pass"),
        (("opt.zero_grad()", "loss.backward"), "opt.step"),
        (("opt.zero_grad()", "loss.backward()"), "opt.step()"),
        (("opt.zero_grad()", "loss.backward()"), "pass"),
        (("opt.zero_grad()", "loss.backward()", "opt.step"), "pass"),
    ],
    ids=["between", "step first", "not called", "step outside", "no step", "step not called"],
)
def test_the_calls_come_in_order(calls: tuple[str, ...], end: str) -> None:
    after = patched(loop(*calls, end=end), "missing-backward-or-step", "loss")
    if calls[-1] == "loss.backward":
        assert "loss.backward()\n" in after
        assert "opt.step()\n" in after
    else:
        ends = "\n" if end == "opt.step()" else f"\n    {end}\n"
        assert after == loop(*RIGHT).removesuffix("\n    pass\n") + ends


def test_the_calls_of_a_trainer_come_in_order() -> None:
    update = "loss = F.cross_entropy(self.model(xb), yb)\n        {}"
    sick = TRAINER.format(
        late="",
        update=update.format("loss.backward()\n        self.optimizer.zero_grad()\n        self.optimizer.step()"),
    )
    cured = TRAINER.format(
        late="",
        update=update.format("self.optimizer.zero_grad()\n        loss.backward()\n        self.optimizer.step()"),
    )
    assert patched(sick, "missing-backward-or-step", "loss.backward") == changed(cured)
    sick = TRAINER.format(late="", update=update.format("loss.backward()\n        self.optimizer.step()"))
    assert patched(sick, "missing-zero-grad", "loss.backward") == changed(cured)


def test_a_missing_backward_is_written() -> None:
    sick = TRAINER.format(
        late="",
        update="self.optimizer.zero_grad()\n        loss = F.cross_entropy(self.model(xb), yb)\n        self.optimizer.step()",
    )
    after = patched(sick, "missing-backward-or-step", "optimizer.step")
    assert (
        "        loss = F.cross_entropy(self.model(xb), yb)\n        loss.backward()\n        self.optimizer.step()\n"
        in after
    )


def test_updates_are_written_back() -> None:
    by_hand = (
        "loss.backward()",
        "with torch.no_grad():",
        "    for p in net.parameters():",
        "        {}",
        "net.zero_grad()",
    )
    sick = loop(*(c.format("p = p - 0.1 * p.grad  # step") for c in by_hand))
    after = patched(sick, "no-update", "loss.backward")
    assert after == loop(*(c.format("p -= 0.1 * p.grad  # step") for c in by_hand))
    sick = loop(*(c.format("p.data.sub(0.1 * p.grad)") for c in by_hand))
    assert patched(sick, "no-update", "loss.backward") == changed(sick, ("p.data.sub(", "p.data.sub_("))


def test_a_rate_of_nothing() -> None:
    sick = loop(*RIGHT, rate="0.0")
    after = patched(sick, "no-update", "opt =")
    rate = float(after.partition("lr=")[2].partition(")")[0])
    assert 1e-3 <= rate <= 0.3
    assert after == changed(sick, ("lr=0.0", f"lr={rate:g}"))


def test_weights_are_not_put_back() -> None:
    sick = loop(*RIGHT, "net.load_state_dict(first)").replace(
        "opt = ", "first = {k: v.clone() for k, v in net.state_dict().items()}\nopt = "
    )
    after = patched(sick, "no-update", "loss.backward")
    assert after == changed(sick, ("        net.load_state_dict(first)\n", ""))


def test_the_optimizer_is_made_last() -> None:
    late = "self.model[2] = nn.Linear(16, 3)  # new head"
    loss = "loss = F.cross_entropy(self.model(xb), yb)"
    body = "\n        ".join(["self.optimizer.zero_grad()", loss, "loss.backward()", "self.optimizer.step()"])
    sick = TRAINER.format(late=late, update=body)
    made = "        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr)\n"
    after = patched(sick, "optimizer-misses-parameters", "self.optimizer =", layer="2")
    assert after == changed(sick, (made, ""), (f"        {late}\n", f"        {late}\n{made}"))


def test_a_schedule_moves_with_its_optimizer() -> None:
    sick = loop(*RIGHT).replace(
        "lr=0.1)\n", "lr=0.1)\nplan = torch.optim.lr_scheduler.ConstantLR(opt)\nnet = nn.Linear(8, 3)\n"
    )
    lines = sick.splitlines(keepends=True)
    at = next(n for n, text in enumerate(lines) if text.startswith("opt ="))
    expected = "".join([*lines[:at], lines[at + 2], *lines[at : at + 2], *lines[at + 3 :]])
    assert patched(sick, "optimizer-misses-parameters", "opt =") == expected


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("head.parameters()", "list(head.parameters()) + list(body.parameters())")],
)
def test_the_optimizer_is_given_all(given: str, wanted: str) -> None:
    sick = f"""
    x, y = torch.randn(32, 8), torch.randint(3, (32,))
    body, head = nn.Sequential(nn.Linear(8, 16), nn.ReLU()), nn.Linear(16, 3)
    opt = torch.optim.Adam({given}, lr=1e-2)  # both
    for step in range(6):
        opt.zero_grad()
        F.cross_entropy(head(body(x)), y).backward()
        opt.step()
    """
    after = patched(sick, "optimizer-misses-parameters", "opt =")
    assert after == changed(sick, (f"Adam({given}", f"Adam({wanted}"))


def test_a_part_becomes_the_whole() -> None:
    sick = loop(*RIGHT).replace(
        "net = nn.Linear(8, 3)", "net = nn.Sequential()\nnet.head = nn.Linear(8, 3)\nnet.tail = nn.Linear(3, 3)"
    )
    sick = sick.replace("net.parameters()", "net.head.parameters()")
    after = patched(sick, "optimizer-misses-parameters", "opt =", layer="tail")
    assert after == changed(sick, ("net.head.parameters()", "net.parameters()"))


def test_the_mean_in_place_of_the_sum() -> None:
    sick = loop(*RIGHT).replace("y[part])", "y[part], reduction='sum')")
    assert patched(sick, "summed-loss", "reduction") == changed(sick, ("'sum'", "'mean'"))
    divided = patched(sick, "summed-loss", "reduction", which=1)
    assert divided == changed(sick, ("reduction='sum')", "reduction='sum') / len(y[part])"))
    sick = loop(*RIGHT).replace("F.cross_entropy(net(x[part]), y[part])", "((net(x[part]) - 1) ** 2).sum()")
    assert patched(sick, "summed-loss", ".sum()") == changed(sick, (".sum()", ".mean()"))


def test_a_sum_that_evaluation_uses_too_is_divided_in_training() -> None:
    sick = """
    x, y = torch.randn(32, 8), torch.randint(3, (32,))
    net, criterion = nn.Linear(8, 3), nn.CrossEntropyLoss(reduction="sum")
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for part in torch.randperm(32).split(8):
        opt.zero_grad()
        criterion(net(x[part]), y[part]).backward()
        opt.step()
    with torch.no_grad():
        print("test loss", criterion(net(x), y).item() / 32)
    """
    after = patched(sick, "summed-loss", "reduction")
    assert after == changed(
        sick, ("criterion(net(x[part]), y[part]).back", "(criterion(net(x[part]), y[part]) / len(y[part])).back")
    )
