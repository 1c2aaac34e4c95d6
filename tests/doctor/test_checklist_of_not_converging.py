"""One command goes through the textbook's twelve causes of not converging, and ranks those it finds."""

import json
from pathlib import Path

import pytest
from planted import HEAD, diagnose_code, found
from typer.testing import CliRunner

from osler.cli.app import app
from osler.doctor import diagnosing
from osler.doctor.fault import all_checks
from osler.structures.finding import SEVERITIES

# Each item of the list and the faults that stand for it.
ITEMS = {
    "TD01": {"input-not-scaled"},
    "TD02": {"labels-shuffled", "label-out-of-range", "non-finite-input", "constant-input"},
    "TD03": {"preprocessing-mismatch", "input-scaled-twice", "input-not-scaled"},
    "TD04": {"overfitting"},
    "TD05": {"batch-too-large"},
    "TD06": {"learning-rate-too-high", "learning-rate-too-low"},
    "TD07": {"activation-on-logits", "softmax-before-cross-entropy", "target-out-of-output-range"},
    "TD08": {"vanishing-gradient", "exploding-gradient", "non-finite-loss", "dead-relu"},
    "TD09": {"zero-init", "init-too-large", "init-too-small"},
    "TD10": {"too-deep-plain"},
    "TD11": {"narrow-bottleneck"},
    "TD12": {"underfitting", "wrong-output-size", "spatial-collapse"},
}
PROGRAM = """
from sklearn.datasets import load_digits
digits = load_digits()
x = torch.tensor(digits.data[:600] * {scale}, dtype=torch.float32)
y = torch.tensor(digits.target[:600])
net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10){last})
opt = torch.optim.SGD(net.parameters(), lr=0.05)
for epoch in range(5):
    for part in torch.randperm(600).split(32):
        opt.zero_grad()
        F.cross_entropy(net(x[part]), y[part]).backward()
        opt.step()
"""
SICK, HEALTHY = PROGRAM.format(scale=16, last=", nn.ReLU()"), PROGRAM.format(scale="1 / 16", last="")


@pytest.mark.craft("TD13")
def test_the_command_ranks_the_causes_that_were_planted(tmp_path: Path) -> None:
    script, answer = tmp_path / "train.py", tmp_path / "answer.json"
    script.write_text(HEAD + SICK)
    result = CliRunner().invoke(app, ["doctor", str(script), "--json", str(answer)])
    assert result.exit_code == 1, result.output
    findings = json.loads(answer.read_text())["findings"]
    names = [f["fault"] for f in findings]
    assert set(names) >= {"activation-on-logits", "input-not-scaled"}  # TD07 and TD01, each a cause of its own
    ranks = [SEVERITIES.index(f["severity"]) for f in findings]
    assert ranks == sorted(ranks)
    consequences = {c["fault"] for f in findings for c in f.get("consequences", ())}
    assert consequences & {"dead-relu", "learning-rate-too-high", "constant-prediction"}
    assert not consequences & set(names), "what a cause explains is told under it, not beside it"
    assert min(map(result.output.index, names)) == result.output.index(names[0])


@pytest.mark.craft("TD13")
def test_without_them_the_list_is_empty() -> None:
    diagnosis = diagnose_code(HEALTHY)
    for fault in set().union(*ITEMS.values()):
        assert found(diagnosis, fault) is None, fault


@pytest.mark.craft("TD13")
def test_one_diagnosis_asks_every_item_of_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def watched():  # type: ignore[no-untyped-def]
        for name, check in all_checks().items():
            asked.append(name)
            yield name, check

    class Checks:
        def items(self):  # type: ignore[no-untyped-def]
            return watched()

    monkeypatch.setattr(diagnosing, "all_checks", Checks)
    diagnosis = diagnose_code(SICK)
    assert not [s for s in diagnosis.skipped if "the check itself failed" in s.reason]
    for item, faults in ITEMS.items():
        assert faults <= set(asked), item
