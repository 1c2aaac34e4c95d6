"""The answers: terminal, JSON, page, and what our own runs keep; also `osler.watch`."""

import json
import re
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn
from typer.testing import CliRunner

import osler
from osler.cli.app import app
from osler.doctor.kept import kept_diagnosis
from osler.doctor.page import page_html
from osler.doctor.terminal import print_diagnosis, sparkline
from osler.structures.finding import Diagnosis, Finding, Remedy, Series, Where
from osler.verbs.doctor import examine_recipe, examine_run
from osler.vitals.evidence import Evidence


def _train(model: nn.Module, steps: int = 20) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    torch.manual_seed(0)
    x = torch.randn(64, 4)
    y = x[:, :3].argmax(1)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


@pytest.fixture
def diagnosis(tmp_path: Path) -> Diagnosis:
    script = tmp_path / "train.py"
    script.write_text("import torch\nloss = torch.nn.functional.mse_loss\n")
    finding = Finding(
        "wrong-loss",
        "critical",
        "classes <0 to 9> meet mse_loss",
        Where(str(script), 2, "net.3"),
        (Remedy("cross entropy", "Use cross_entropy."),),
        series=(Series("loss", (1, 2, 3), (3.0, 2.0, float("nan"))),),
        consequences=(Finding("plateau", "warning", "it stands"),),
    )
    return Diagnosis(str(script), [finding], story=["It ran to its end after 1.0 s."])


def test_the_terminal_tells_fault_line_evidence_remedy_and_what_it_explains(diagnosis: Diagnosis) -> None:
    console = Console(width=110, record=True, file=StringIO())
    print_diagnosis(diagnosis, console)
    text = console.export_text()
    assert "✖ wrong-loss" in text
    assert "2 │ loss = torch.nn.functional.mse_loss" in text
    assert "Classes <0 to 9> meet mse_loss." in text
    assert "→ Use cross_entropy." in text
    assert "explains plateau" in text
    assert "Sick: 1 finding" in text


def test_a_sparkline_marks_what_is_not_finite() -> None:
    assert "!" in sparkline(Series("loss", (1, 2, 3), (1.0, float("inf"), 2.0))).plain


def test_json_has_the_form_of_the_contract(diagnosis: Diagnosis) -> None:
    content = json.loads(json.dumps(diagnosis.as_json()))
    assert content["verdict"] == "sick"
    assert content["patch"] is None
    finding = content["findings"][0]
    assert finding["where"] == {"file": diagnosis.script, "line": 2, "layer": "net.3"}
    assert finding["remedies"] == [{"remedy": "cross entropy", "change": "Use cross_entropy."}]


def test_the_page_needs_nothing_else_and_escapes_what_it_shows(diagnosis: Diagnosis) -> None:
    page = page_html(diagnosis, Evidence())
    assert "classes &lt;0 to 9&gt;" in page.lower()
    assert "<0 to 9>" not in page
    assert not re.findall(r"""(?:src|href)=["']?https?:""", page)


def test_watch_finds_what_is_wrong_in_any_loop() -> None:
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(dim=1))
    with osler.watch(net) as doctor:
        _train(net)
    assert doctor.findings[0].fault == "softmax-before-cross-entropy"
    assert doctor.findings[0].where.line is not None
    with osler.watch() as doctor:
        _train(nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3)), steps=60)
    assert not [f for f in doctor.findings if f.counts]


def test_our_runs_are_watched_and_keep_what_was_found(tmp_path: Path) -> None:
    run = osler.train(epochs=1, quiet=True, out=tmp_path / "run")
    kept = kept_diagnosis(run.path)
    assert kept is not None
    assert kept.verdict == "healthy"
    assert (run.path / "doctor.html").read_text().startswith("<!doctype html>")
    assert examine_run(run.path).diagnosis.verdict == "healthy"
    plain = osler.train(epochs=1, quiet=True, out=tmp_path / "plain", **{"train.doctor": False})
    assert kept_diagnosis(plain.path) is None
    assert plain.metrics == run.metrics
    assert plain.folder.best.read_bytes() == run.folder.best.read_bytes()
    assert examine_run(plain.path).evidence.steps == len(plain.folder.store().updates("train.loss")[0])


def test_a_recipe_is_examined_before_it_is_trained() -> None:
    assert examine_recipe(["data=digits"]).diagnosis.verdict == "healthy"
    sick = examine_recipe(["data=digits", "model.initialisation=zeros"]).diagnosis
    assert sick.findings[0].fault == "zero-init"


def test_explain_prints_a_page_and_the_list() -> None:
    runner = CliRunner()
    page = runner.invoke(app, ["explain", "softmax-before-cross-entropy"])
    assert page.exit_code == 0
    assert "What to do" in page.output
    listed = runner.invoke(app, ["explain"])
    assert "softmax-before" in listed.output


def test_a_target_that_is_nothing_is_refused_with_what_it_may_be() -> None:
    result = CliRunner().invoke(app, ["doctor", "no_such_thing"])
    assert "neither a script" in str(result.exception)
