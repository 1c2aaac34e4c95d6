"""Edits of rates, batches, schedules, decay and clipping: the exact text after them."""

import numpy as np
import pytest
from patched import changed

from osler.doctor.case import Case
from osler.doctor.mending.number_edit import number, third, written
from osler.doctor.mending.prescription import edited, prescriptions
from osler.doctor.script_reading import ScriptReading
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import (
    Clipping,
    Evidence,
    LoaderSeen,
    ModelSeen,
    OptimizerSeen,
    ParameterSeen,
    SchedulerSeen,
    Site,
    StepSample,
    Summary,
)

FILE = "train.py"


def line(source: str, text: str) -> int:
    """The line at which `text` stands first."""
    return next(n for n, row in enumerate(source.splitlines(), 1) if text in row)


def evidence(
    source: str, *, kind: str = "SGD", lr: float = 0.1, ratio: float = 1e-2, steps: int = 100, **options: float
) -> Evidence:
    """An optimizer whose updates are `ratio` of the weights, made where its kind stands first."""
    sample = StepSample(1, (lr,), {"w": 1.0}, {"w": 1.0}, {"w": ratio})
    made = OptimizerSeen(
        kind, Site(FILE, line(source, kind + "(")), [{"lr": lr, **options}], ["w"], steps=steps, samples=[sample]
    )
    made.rates = [(1, lr)]
    if "opt.step()" in source:
        made.step_sites[Site(FILE, line(source, "opt.step()"))] = steps
    nothing = Summary((4, 4), "float32", 0.0, 1.0, -1.0, 1.0, 0.0, 0)
    model = ModelSeen(
        "net", "Net", None, parameters={"w": ParameterSeen((4, 4), "", True, nothing, np.zeros(1), 1.0, optimizers=[0])}
    )
    return Evidence(script=FILE, source=source, optimizers=[made], models=[model], steps=steps)


def after(fault: str, seen: Evidence, which: int = 0, at: str | None = None) -> str:
    """The source after the remedy number `which`."""
    where = Where(FILE, line(seen.source, at) if at else None)
    finding = Finding(fault, "critical", "", where, (Remedy("", ""),), 0.9, ())
    offers = prescriptions(finding, Case(seen, ScriptReading(seen.source, FILE)))
    edit = edited(seen.source, [offers[which]])
    assert edit is not None
    return edit.source


PLACES = {
    "literal": ("opt = torch.optim.SGD(net.parameters(), lr=0.1)  # fast\n", "lr=0.1", "lr=0.03"),
    "place": ("opt = SGD(net.parameters(), 1e-1)\n", "1e-1", "0.03"),
    "constants": ("LR, MOMENTUM = 0.1, 0.9\nopt = SGD(net.parameters(), LR)\n", "0.1", "0.03"),
    "dict": ("cfg = {'lr': 0.1, 'n': 0.1}\nopt = SGD(net.parameters(), lr=cfg['lr'])\n", "'lr': 0.1", "'lr': 0.03"),
    "dict in dict": ("cfg = dict(lr=0.1)\nopt = SGD(net.parameters(), **cfg)\n", "lr=0.1", "lr=0.03"),
    "default": ("def make(net, rate=0.1):\n    return SGD(net.parameters(), lr=rate)\n", "rate=0.1", "rate=0.03"),
    "caller": ("def make(net, rate):\n    return SGD(net.parameters(), lr=rate)\nmake(net, 0.1)\n", "0.1", "0.03"),
    "argparse": (
        "p.add_argument('--lr', type=float, default=0.1)\na = p.parse_args()\nopt = SGD(net.parameters(), lr=a.lr)\n",
        "0.1", "0.03",
    ),
    "class": ("class Config:\n    lr: float = 0.1\n\nopt = SGD(net.parameters(), lr=Config().lr)\n", "0.1", "0.03"),
    "attribute": (
        "class T:\n    def __init__(self, lr=0.1):\n        self.lr = lr\n"
        "    def make(self):\n        return SGD(net.parameters(), lr=self.lr)\n",
        "lr=0.1", "lr=0.03",
    ),
    "groups": (
        "opt = SGD([{'params': a, 'lr': 0.1}, {'params': b, 'lr': 0.3}])\n",
        "0.1}, {'params': b, 'lr': 0.3", "0.03}, {'params': b, 'lr': 0.1",
    ),
    "product": ("opt = SGD(net.parameters(), lr=0.05 * 2)\n", "0.05 * 2", "0.03"),
    "not given": ("opt = SGD(net.parameters())\n", "parameters()", "parameters(), lr=0.03"),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_rate_is_lowered_where_it_is_written(place: str) -> None:
    source, old, new = PLACES[place]
    assert after("learning-rate-too-high", evidence(source)) == changed(source, (old, new))


def test_a_rate_goes_by_the_size_of_updates() -> None:
    source = "opt = SGD(net.parameters(), lr=0.1)\n"
    assert after("learning-rate-too-high", evidence(source, ratio=3.0)) == changed(source, ("0.1", "0.0001"))
    assert after("learning-rate-too-low", evidence(source, ratio=3e-4)) == changed(source, ("0.1", "1"))
    assert after("learning-rate-too-high", evidence(source), 1) == changed(source, ("0.1", "0.01"))
    assert after("diverging-loss", evidence(source, momentum=0.9)) == changed(source, ("0.1", "0.03"))
    assert after("oscillating-loss", evidence(source)) == changed(source, ("0.1", "0.01"))
    assert after("plateau", evidence(source, ratio=0.3)) == changed(source, ("0.1", "0.001"))


def test_an_adaptive_optimizer_gets_its_published_rate_and_sgd_may_become_one() -> None:
    source = "opt = torch.optim.Adam(net.parameters(), lr=3)\n"
    assert after("learning-rate-too-high", evidence(source, kind="Adam", lr=3)) == changed(source, ("lr=3", "lr=0.001"))
    source = "opt = torch.optim.SGD(net.parameters(), lr=1e-5, momentum=0.9)\n"
    text = after("learning-rate-too-low", evidence(source, lr=1e-5, ratio=1e-6), 2)
    assert text == "opt = torch.optim.Adam(net.parameters(), lr=0.001)\n"


def test_a_peak_of_a_schedule_is_lowered_too() -> None:
    source = "opt = SGD(net.parameters(), lr=0.1)\nplan = OneCycleLR(opt, max_lr=3.0, total_steps=9)\n"
    seen = evidence(source)
    seen.schedulers.append(SchedulerSeen("OneCycleLR", Site(FILE, 2), 0, steps=9))
    assert after("learning-rate-too-high", seen) == changed(source, ("lr=0.1", "lr=0.03"), ("3.0", "1"))


BATCHES = {
    "loader": ("loader = DataLoader(data, batch_size=SIZE)\nSIZE = 2\n", "SIZE = 2", "SIZE = 32"),
    "slices": ("for i in range(0, n, 2):\n    xb = x[i:i + 2]\n", None, None),
    "slice by name": ("bs = 2\nfor i in range(0, n, bs):\n    xb = x[i:i + bs]\n", "bs = 2", "bs = 32"),
    "split": ("for part in torch.randperm(n).split(2):\n    pass\n", "split(2)", "split(32)"),
    "drawn": ("for step in range(9):\n    part = torch.randint(0, n, (2,))\n", "(2,)", "(32,)"),
}


@pytest.mark.parametrize("place", [p for p in BATCHES if BATCHES[p][1]])
def test_a_batch_is_made_larger_where_its_size_is_written(place: str) -> None:
    source, old, new = BATCHES[place]
    source += "opt = SGD(net.parameters(), lr=0.1)\n"
    seen = evidence(source)
    if place == "loader":
        loader = LoaderSeen(Site(FILE, 1), 64, 2, "RandomSampler", False, 0, "TensorDataset")
        loader.used_for["train"] = 9
        seen.loaders.append(loader)
    seen.models[0].calls = [_call(2)]
    assert after("batch-too-small", seen) == changed(source, (str(old), str(new)))
    assert after("batch-too-small", seen, 1) == changed(source, ("lr=0.1", "lr=0.01"))


def _call(size: int):  # type: ignore[no-untyped-def]
    from osler.vitals.evidence import Call

    given = Summary((size, 8), "float32", 0.0, 1.0, -1.0, 1.0, 0.0, 0)
    return Call(1, "train", True, (), None, (given,), (), (), None, 0.0)


def test_a_batch_is_made_smaller_or_the_rate_higher() -> None:
    source = (
        "BATCH = 1024\nfor part in torch.randperm(n).split(BATCH):\n    pass\nopt = SGD(net.parameters(), lr=0.1)\n"
    )
    seen = evidence(source)
    seen.models[0].calls = [_call(1024)]
    assert after("batch-too-large", seen) == changed(source, ("1024", "32"))
    assert after("batch-too-large", seen, 1) == changed(source, ("lr=0.1", "lr=3"))


def test_decay_and_penalty() -> None:
    source = "DECAY = 0.3  # strong\nopt = Adam(net.parameters(), lr=1e-3, weight_decay=DECAY)\n"
    seen = evidence(source, kind="Adam", weight_decay=0.3)
    assert after("weight-decay-too-high", seen) == changed(source, ("0.3", "1e-4"))
    source = "opt = SGD(p, lr=0.1)\nl2 = sum(w.pow(2).sum() for w in net.parameters())\nloss = F.mse_loss(a, b) + 0.5 * l2  # all\n"
    assert after("weight-decay-too-high", evidence(source), at="l2 =") == changed(source, ("0.5 * l2", "1e-5 * l2"))


def test_a_limit_of_clipping() -> None:
    source = "opt = SGD(p, lr=0.1)\nif clip:\n    clip_grad_norm_(net.parameters(), 1e-3)\nopt.step()\n"
    seen = evidence(source)
    seen.clippings.append(Clipping("norm", 1e-3, Site(FILE, 3), 9, 9, [0.5, 0.6, 0.7, 0.8]))
    assert after("clipping-too-strong", seen) == changed(source, ("1e-3", "0.8"))
    assert after("clipping-too-strong", seen, 1) == "opt = SGD(p, lr=0.1)\nopt.step()\n"
    source = "opt = SGD(p, lr=0.1)\nfor p in ps: p.grad.clamp_(-1e-5, 1e-5)\nopt.step()\n"
    assert after("clipping-too-strong", evidence(source)) == "opt = SGD(p, lr=0.1)\nopt.step()\n"


LOOP = """opt = SGD(net.parameters(), lr=0.1)
plan = {plan}  # plan
for epoch in range(10):
    for xb, yb in loader:
        loss = step(xb, yb)
        loss.backward()
        opt.step()
        {inner}
    {outer}
"""


def scheduled(
    kind: str, plan: str, *, inner: str = "pass", outer: str = "pass", steps: int = 0, **options: object
) -> Evidence:
    """A loop of 10 epochs of 50 updates with a schedule that made `steps` steps."""
    source = LOOP.format(plan=plan, inner=inner, outer=outer)
    seen = evidence(source, steps=500)
    made = SchedulerSeen(kind, Site(FILE, 2), 0, steps=steps, options=dict(options))
    if steps:
        made.step_sites[Site(FILE, line(source, "plan.step"))] = steps
    seen.schedulers.append(made)
    seen.passes = 10
    from osler.vitals.evidence import Backward

    seen.backwards.append(Backward(Site(FILE, 6), 500))
    return seen


def test_a_schedule_is_stepped_as_its_constants_count() -> None:
    plan = "StepLR(opt, step_size=4)"
    after_epochs = after("scheduler-misused", scheduled("StepLR", plan, step_size=4), at="plan =")
    assert after_epochs == LOOP.format(plan=plan, inner="pass", outer="pass\n    plan.step()")
    plan = "CosineAnnealingLR(opt, T_max=500)"
    after_updates = after("scheduler-misused", scheduled("CosineAnnealingLR", plan, T_max=500), at="plan =")
    assert after_updates == changed(
        LOOP.format(plan=plan, inner="pass", outer="pass"), ("opt.step()\n", "opt.step()\n        plan.step()\n")
    )


def test_a_schedule_moves_out_of_the_loop_or_counts_updates() -> None:
    plan = "StepLR(opt, 4)"
    seen = scheduled("StepLR", plan, inner="plan.step()", steps=500, step_size=4)
    assert after("scheduler-misused", seen, at="plan.step").endswith("        opt.step()\n    pass\n    plan.step()\n")
    assert after("scheduler-misused", seen, 1, at="plan.step") == changed(
        seen.source, ("StepLR(opt, 4)", "StepLR(opt, 165)")
    )
    without = after("scheduler-misused", seen, 2, at="plan.step")
    assert "plan" not in without
    assert without.startswith("opt = SGD")
    assert "opt.step()\n    pass\n" in without


def test_a_mode_is_turned_and_a_factor_is_taken_for_a_rate() -> None:
    seen = scheduled(
        "ReduceLROnPlateau", "ReduceLROnPlateau(opt, mode='max')", outer="plan.step(loss)", steps=10, mode="max"
    )
    assert "mode='min'" in after("scheduler-misused", seen, at="plan =")
    seen = scheduled("LambdaLR", "LambdaLR(opt, lambda e: 0.01 * 0.9 ** e)", outer="plan.step()", steps=10)
    seen.optimizers[0].rates = [(1, 0.001), (50, 0.0009)]
    assert after("scheduler-misused", seen, at="plan =") == changed(seen.source, ("lr=0.1", "lr=1.0"))


def test_numbers_are_read_through_names() -> None:
    script = ScriptReading("SCALE = 4\nA, B = 2, 3\ndef f(n=7):\n    g(A, B, float(SCALE), n, -5, unknown)\n")
    call = script.calls_of("g")[0]
    assert [number(script, a, call.function) for a in call.node.args] == [2, 3, 4, 7, -5, None]
    assert written(script, call.node.args[0], "f").lineno == 2
    assert [third(v) for v in (0.0042, 0.0078, 20, 1e-6)] == ["0.003", "0.01", "30", "1e-06"]
