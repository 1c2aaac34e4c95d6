"""Remedies in order and in company: which are tried, which are taken, what is told, and the one diff of them all."""

import math
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import osler.verbs.doctor as verbs
from osler.doctor.case import Case
from osler.doctor.mending import proving
from osler.doctor.mending.headline import Headline
from osler.doctor.mending.judging import clearly_better, judge
from osler.doctor.mending.prescription import Prescription
from osler.doctor.mending.script_edit import ScriptEdit
from osler.doctor.mending.told import line_before
from osler.doctor.mending.trial import Trial
from osler.doctor.script_reading import ScriptReading
from osler.structures.finding import Diagnosis, Finding, Proof
from osler.vitals.evidence import Evidence

SOURCE = "rate = 100\nwidth = 1\nprinted = rate  # as it was\n"
ACCURACY = {"accuracy": Headline("accuracy", 0.1, True)}


def line(number: int, code: str) -> Callable[[ScriptEdit], None]:
    return lambda edit: edit.replace_statement(number, code)


def option(remedy: str, number: int, code: str, *, choice: str = "") -> Prescription:
    return Prescription(remedy, f"{code}.", line(number, code), choice)


def finding(fault: str) -> Finding:
    return Finding(fault, "critical", "seen")


class World:
    """Programs in the place of processes: a rule tells a source's figure and what is still wrong with it."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        options: dict[str, list[Prescription]],
        rule: Callable[[str], tuple[float, list[str]]],
        at_once: int = 1,
    ) -> None:
        self.rule, self.ran = rule, list[str]()
        monkeypatch.setattr(proving, "prescriptions", lambda f, case: options.get(f.fault, []))
        monkeypatch.setattr(proving, "run_trial", lambda source, terms, processes: self.trial(source))
        monkeypatch.setattr(proving, "headlines", lambda evidence: self.figures(evidence.source))
        monkeypatch.setattr(proving, "workers", lambda: at_once)

    def figures(self, source: str) -> dict[str, Headline]:
        return {"accuracy": Headline("accuracy", self.rule(source)[0], True)}

    def trial(self, source: str) -> Trial:
        import pickle

        self.ran.append(source)
        accuracy, faults = self.rule(source)
        ending = "crashed" if math.isnan(accuracy) else "finished"
        seen = Evidence(script="program.py", source=source), Diagnosis("program.py", [finding(f) for f in faults])
        figures = {} if math.isnan(accuracy) else {"accuracy": (accuracy, True)}
        return Trial(ending, "boom", 9, 1.0, figures, tuple(faults), pickle.dumps(seen))

    def prove(self, budget: float | None = None) -> Diagnosis:
        evidence = Evidence(script="program.py", source=SOURCE)
        diagnosis = Diagnosis("program.py", [finding(f) for f in self.rule(SOURCE)[1]])
        case = Case(evidence, ScriptReading(SOURCE, "program.py"))
        return proving.prove(diagnosis, case, Path("program.py"), budget=budget)


def test_the_first_remedy_that_helps_is_taken_and_what_failed_is_said_to_have_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = {"slow": [option("crash", 1, "rate = 0"), option("vain", 1, "rate = 99"), option("right", 1, "rate = 1")]}
    scores = {"rate = 0": math.nan, "rate = 99": 0.1, "rate = 1\n": 0.9}

    def rule(source: str) -> tuple[float, list[str]]:
        score = next((v for k, v in scores.items() if k in source), 0.1)
        return score, [] if score == 0.9 else ["slow"]

    diagnosis = World(monkeypatch, options, rule).prove()
    remedies = diagnosis.findings[0].remedies
    assert [r.remedy for r in remedies] == ["right", "crash", "vain"]
    assert remedies[0].proof == Proof("accuracy", 0.1, 0.9, 9)
    assert "Tried: the program then crashed (boom)" in remedies[1].change
    assert "Tried: it did not help (accuracy 0.1 to 0.1)" in remedies[2].change
    assert diagnosis.mended == "rate = 1\nwidth = 1\nprinted = rate  # as it was\n"
    assert diagnosis.patch is not None
    assert [x for x in diagnosis.patch.splitlines() if x[0] in "+-"][2:] == ["-rate = 100", "+rate = 1"]


def test_of_remedies_that_exclude_each_other_the_better_one_tried_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def rule(source: str) -> tuple[float, list[str]]:
        score = 0.9 if "rate = 2" in source else 0.6 if "rate = 1\n" in source else 0.1
        return score, [] if score > 0.1 else ["slow"]

    for choice, taken in (("rate", "rate = 2"), ("", "rate = 1\n")):
        options = {"slow": [option("some", 1, "rate = 1", choice=choice), option("more", 1, "rate = 2", choice=choice)]}
        mended = World(monkeypatch, options, rule, at_once=3).prove().mended
        assert mended is not None
        assert taken in mended


def test_two_faults_are_mended_by_one_diff_also_one_that_the_other_hid(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"slow": [option("a", 1, "rate = 1")], "narrow": [option("b", 2, "width = 9")]}

    def rule(source: str) -> tuple[float, list[str]]:
        if "rate = 1\n" not in source:
            return 0.1, ["slow"]
        return (0.9, []) if "width = 9" in source else (0.5, ["narrow"])

    diagnosis = World(monkeypatch, options, rule).prove()
    assert diagnosis.mended == "rate = 1\nwidth = 9\nprinted = rate  # as it was\n"
    assert [f.fault for f in diagnosis.findings] == ["slow", "narrow"]
    assert all(f.remedies[0].proof is not None for f in diagnosis.findings)


def test_what_is_gone_with_another_remedy_is_not_edited(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"slow": [option("a", 1, "rate = 1")], "dead": [option("b", 2, "width = 9")]}
    world = World(monkeypatch, options, lambda s: (0.9, []) if "rate = 1\n" in s else (0.1, ["slow", "dead"]))
    diagnosis = world.prove()
    assert diagnosis.mended is not None
    assert "width = 1" in diagnosis.mended
    assert "Gone once slow was mended: dead." in diagnosis.story


def test_remedies_that_help_only_together_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"slow": [option("a", 1, "rate = 1")], "narrow": [option("b", 2, "width = 9")]}

    def rule(source: str) -> tuple[float, list[str]]:
        both = "rate = 1\n" in source and "width = 9" in source
        return (0.9, []) if both else (0.1, ["slow", "narrow"])

    diagnosis = World(monkeypatch, options, rule).prove()
    assert diagnosis.mended == "rate = 1\nwidth = 9\nprinted = rate  # as it was\n"
    assert all("did not help" not in r.change for f in diagnosis.findings for r in f.remedies)


def test_nothing_that_helped_gives_no_diff(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, {"slow": [option("a", 1, "rate = 1")]}, lambda s: (0.1, ["slow"]))
    diagnosis = world.prove()
    assert diagnosis.patch is None
    assert diagnosis.mended is None


def test_no_trial_begins_when_the_budget_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, {"slow": [option("a", 1, "rate = 1")]}, lambda s: (0.1, ["slow"]))
    diagnosis = world.prove(budget=-1.0)
    assert world.ran == []
    assert "the time for trials was over" in diagnosis.story[-1]


def test_ctrl_c_keeps_what_was_proved_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"slow": [option("a", 1, "rate = 1")], "narrow": [option("b", 2, "width = 9")]}
    world = World(monkeypatch, options, lambda s: (0.5, ["narrow"]) if "rate = 1\n" in s else (0.1, ["slow", "narrow"]))
    plain = world.trial

    def trial(source: str) -> Trial:
        if "width = 9" in source:
            raise KeyboardInterrupt
        return plain(source)

    monkeypatch.setattr(world, "trial", trial)
    diagnosis = world.prove()
    assert diagnosis.mended is not None
    assert "rate = 1\n" in diagnosis.mended
    assert "Ctrl-C ended the trials" in diagnosis.story[-1]


def test_a_gain_within_the_spread_over_seeds_is_no_help() -> None:
    trial = Trial("finished", "", 9, 1.0, {"accuracy": (0.3, True)}, ("slow",))
    said = judge(finding("slow"), option("a", 1, "rate = 1"), trial, ACCURACY, {"accuracy": 0.25})
    assert said == (Proof("accuracy", 0.1, 0.3, 9), False)
    assert judge(finding("slow"), option("a", 1, "rate = 1"), trial, ACCURACY, {"accuracy": 0.05})[1]


def test_a_fault_that_is_gone_with_a_figure_that_fell_is_no_help() -> None:
    before = {"accuracy": Headline("accuracy", 0.8, True)}
    trial = Trial("finished", "", 9, 1.0, {"accuracy": (0.5, True)}, ())
    assert not judge(finding("slow"), option("a", 1, "rate = 1"), trial, before, {})[1]


def test_an_endless_program_is_judged_at_the_end_of_its_budget() -> None:
    trial = Trial("budget", "", 9, 1.0, {"accuracy": (0.9, True)}, ())
    assert not judge(finding("slow"), option("a", 1, "rate = 1"), trial, ACCURACY, {})[1]
    assert judge(finding("slow"), option("a", 1, "rate = 1"), trial, ACCURACY, {}, endless=True)[1]


def test_better_means_beyond_chance() -> None:
    one, other = Proof("accuracy", 0.1, 0.9, 9), Proof("accuracy", 0.1, 0.8, 9)
    assert clearly_better(one, other, ACCURACY, 0.05)
    assert not clearly_better(one, other, ACCURACY, 0.2)
    assert not clearly_better(None, other, ACCURACY, 0.0)


def test_a_line_of_the_mended_text_is_found_in_the_original() -> None:
    mended = "import os\n" + SOURCE.replace("width = 1", "width = 9")
    assert [line_before(SOURCE, mended, n) for n in (1, 2, 3, 4)] == [None, 1, None, 3]


# ---- real programs

SICK = """
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)
x = torch.randn(400, 20)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
model = nn.Sequential(
    nn.Linear(20, 32), nn.ReLU(),  # the only hidden layer
    nn.Linear(32, 3), nn.Softmax(dim=1),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(300):   # short
    part = torch.randint(0, 400, (32,))
    loss = F.cross_entropy(model(x[part]), y[part])
    loss.backward()
    optimizer.step()
with open("losses.txt", "w") as kept:
    kept.write(str(loss.item()))
"""


@pytest.mark.slow
def test_a_sick_script_is_mended_by_a_diff_that_patch_applies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "home" / "train.py"
    script.parent.mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # the program itself writes where one stands
    script.write_text(textwrap.dedent(SICK).lstrip())
    examination = verbs.examine(script, prove=True)
    diagnosis = examination.diagnosis
    assert script.read_text() == textwrap.dedent(SICK).lstrip()
    assert [p.name for p in script.parent.iterdir()] == ["train.py"]
    assert diagnosis.patch is not None
    assert "osler" not in "".join(x for x in diagnosis.patch.splitlines() if x.startswith("+"))
    assert diagnosis.mended is not None
    assert all(c in diagnosis.mended for c in ("# the only hidden layer", "# short", "zero_grad"))
    changed = [x for x in diagnosis.patch.splitlines()[2:] if x[0] in "+-"]
    assert len(changed) <= 4, diagnosis.patch
    if shutil.which("patch") is None:
        pytest.skip("there is no patch program to apply the diff with")
    for words in ([], ["-p0"]):
        copy = tmp_path / f"copy{len(words)}"
        copy.mkdir()
        shutil.copy2(script, copy)
        subprocess.run(["patch", *words], cwd=copy, input=diagnosis.patch, text=True, check=True, capture_output=True)
        assert (copy / "train.py").read_text() == diagnosis.mended
    subprocess.run([sys.executable, "train.py"], cwd=copy, check=True)


@pytest.mark.slow
def test_a_healthy_script_is_not_patched(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    healthy = (
        textwrap.dedent(SICK)
        .replace(", nn.Softmax(dim=1)", "")
        .replace("    loss.backward()", "    optimizer.zero_grad()\n    loss.backward()")
    )
    script.write_text(healthy.partition("with open")[0])
    assert verbs.examine(script, prove=True).diagnosis.patch is None
