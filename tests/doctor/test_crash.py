"""A program that crashes is sick, and is told why in plain words, with the numbers that mend it."""

import pytest
from planted import diagnose_code, found, line_of

CONVOLUTIONS = """
x = torch.randn(12, 1, 16, 16); y = torch.randint(4, (12,))
net = nn.Sequential(
    nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    {flatten}
    nn.Linear({width}, 4))
opt = torch.optim.Adam(net.parameters())
F.cross_entropy(net({given}), {labels}).backward()
opt.step()
"""
RIGHT = {"flatten": "nn.Flatten(),", "width": 384, "given": "x", "labels": "y"}


def test_the_first_linear_layer_is_told_its_right_width() -> None:
    program = CONVOLUTIONS.format(**{**RIGHT, "width": 300})
    diagnosis = diagnose_code(program)
    finding = found(diagnosis, "crash")
    assert finding is not None
    assert diagnosis.sick
    assert diagnosis.ending == "crashed"
    assert (finding.where.line, finding.where.layer) == (line_of(program, "nn.Linear(300"), "4")
    assert "nn.Linear(384, 4)" in finding.remedies[0].change


@pytest.mark.parametrize(
    ("change", "fault", "says"),
    [
        ({"flatten": ""}, "crash", "not flattened"),
        ({"labels": "y + 1"}, "label-out-of-range", "label 4 while the network has 4 outputs"),
        ({"given": "x.double()"}, "crash", "another"),
        ({"given": "x.expand(12, 3, 16, 16)"}, "crash", "takes 1 channels and is given 3"),
        ({"given": "x.reshape(12, 256)"}, "crash", "takes pictures"),
        ({"given": "x.transpose(1, 3)"}, "crash", "is given 16"),
        ({"labels": "y[:, None]"}, "crash", "one whole number a sample"),
        ({"labels": "y.float()"}, "crash", "type"),
        ({"labels": "torch.cat([y, y])"}, "crash", "12 answers for 24 labels"),
    ],
)
def test_what_was_given_wrongly_is_said(change: dict[str, str], fault: str, says: str) -> None:
    labelled = {"labels": "torch.arange(12) % 5"} if fault == "label-out-of-range" else {}
    finding = found(diagnose_code(CONVOLUTIONS.format(**{**RIGHT, **change, **labelled})), fault)
    assert finding is not None
    assert says in finding.evidence


@pytest.mark.parametrize(
    ("lines", "fault", "says"),
    [
        ("h = net(x).sum(); h.backward(); h.backward()", "crash", "twice"),
        ("loss = torch.tensor(net(x).mean().item()); loss.backward()", "detached-graph", "no gradient runs"),
        ("net(x).backward()", "crash", "many losses at once"),
        ("w = net(x).exp(); s = w.sum(); w += 1; s.backward()", "crash", "overwritten"),
        ("torch.optim.SGD([], lr=1.0)", "optimizer-misses-parameters", "no parameters"),
        ("F.binary_cross_entropy(net(x) * 9, torch.ones(6, 2)).backward()", "logits-into-probability-loss", "below 0 or above 1"),
        ("nn.BatchNorm1d(4)(x[:1])", "small-batch-norm", "single sample"),
        ("nn.Embedding(5, 2)(torch.tensor([7]))", "crash", "beyond its table of 5 rows"),
        ("open('nowhere.csv')", "crash", "a file is missing"),
        ("raise ValueError('own words')", "crash", "own words"),
    ],
)  # fmt: skip
def test_known_errors_are_said_in_plain_words(lines: str, fault: str, says: str) -> None:
    source = f"x = torch.randn(6, 4)\nnet = nn.Linear(4, 2)\n{lines}\n"
    finding = found(diagnose_code(source), fault)
    assert finding is not None
    assert says in finding.evidence
    assert finding.where.line is not None


def test_a_program_that_ends_well_or_leaves_is_no_crash() -> None:
    for source in (CONVOLUTIONS.format(**RIGHT), "raise SystemExit(0)"):
        diagnosis = diagnose_code(source)
        assert found(diagnosis, "crash") is None
        assert diagnosis.ending != "crashed"
