"""Schedules that are not stepped, stepped at the wrong place or too steep are named; usual ones are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
from torch.optim import lr_scheduler as lrs
x = torch.randn(512, 16)
y = (x @ torch.randn(16, 4)).argmax(1)
net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
plan = lrs.{plan}
for epoch in range(8):
    for part in torch.randperm(512).split(32):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[part]), y[part])
        loss.backward()
        opt.step()
        {batch}
    {epoch}
"""
PASS, STEP = "pass", "plan.step()"
MADE = "plan = lrs"


@pytest.mark.parametrize(
    ("plan", "batch", "epoch", "line"),
    [
        ("StepLR(opt, 3)", PASS, PASS, MADE),
        ("LambdaLR(opt, lambda s: min(1.0, s / 40))", PASS, PASS, MADE),
        ("StepLR(opt, 2, gamma=0.1)", STEP, PASS, STEP),
        ("ExponentialLR(opt, 0.8)", STEP, PASS, STEP),
        ("CosineAnnealingLR(opt, T_max=8)", STEP, PASS, STEP),
        ("OneCycleLR(opt, max_lr=0.5, total_steps=8 * 16)", PASS, STEP, STEP),
        ("LambdaLR(opt, lambda s: min(1.0, s / 100))", PASS, STEP, STEP),
        ("LambdaLR(opt, lambda e: 0.001 * 0.9 ** e)", PASS, STEP, MADE),
        ("StepLR(opt, 1, gamma=0.001)", PASS, STEP, MADE),
        ("ReduceLROnPlateau(opt, mode='max', patience=0)", PASS, "train_loss = loss.item(); plan.step(train_loss)", MADE),
    ],
    ids=[
        "never", "warm-up never", "steps by batch", "exponential by batch", "cosine by batch", "one cycle by epoch",
        "warm-up by epoch", "a rate for a factor", "too steep", "wrong way",
    ],
)  # fmt: skip
def test_a_schedule_that_does_not_do_what_it_should_is_found(plan: str, batch: str, epoch: str, line: str) -> None:
    program = PROGRAM.format(plan=plan, batch=batch, epoch=epoch)
    finding = found(diagnose_code(program), "scheduler-misused")
    assert finding is not None
    assert finding.where.line == line_of(program, line)


@pytest.mark.parametrize(
    ("plan", "batch", "epoch"),
    [
        ("StepLR(opt, 3)", PASS, STEP),
        ("CosineAnnealingLR(opt, T_max=8)", PASS, STEP),
        ("CosineAnnealingLR(opt, T_max=8 * 16)", STEP, PASS),
        ("OneCycleLR(opt, max_lr=0.1, total_steps=8 * 16)", STEP, PASS),
        ("LambdaLR(opt, lambda s: min(1.0, (s + 1) / 20))", STEP, PASS),
        ("CyclicLR(opt, 0.001, 0.1, step_size_up=16)", STEP, PASS),
        ("CosineAnnealingWarmRestarts(opt, T_0=2)", PASS, STEP),
        ("SequentialLR(opt, [lrs.LinearLR(opt, 0.1, total_iters=2), lrs.ExponentialLR(opt, 0.8)], milestones=[2])", PASS, STEP),
        ("ReduceLROnPlateau(opt, patience=1)", PASS, "train_loss = loss.item(); plan.step(train_loss)"),
    ],
)  # fmt: skip
def test_usual_schedules_are_let_be(plan: str, batch: str, epoch: str) -> None:
    program = PROGRAM.format(plan=plan, batch=batch, epoch=epoch)
    assert found(diagnose_code(program), "scheduler-misused") is None
