"""Healthy programs that look suspicious: the doctor stays silent on every one."""

from pathlib import Path

import pytest

from osler.doctor.examining import examine_script

HEALTHY = sorted((Path(__file__).parent / "healthy").glob("*.py"))
QUICK = {"gradient_accumulation", "gan", "log_softmax_and_cross_entropy", "deep_q", "moving_average"}


@pytest.mark.parametrize(
    "script", [pytest.param(p, id=p.stem, marks=() if p.stem in QUICK else pytest.mark.slow) for p in HEALTHY]
)
def test_a_healthy_program_is_called_healthy(script: Path) -> None:
    diagnosis, run = examine_script(script)
    assert run.evidence.ending.how == "finished", run.evidence.ending.traceback
    assert run.watch is not None
    assert not run.watch.state.troubles
    assert not [(f.fault, f.evidence) for f in diagnosis.findings if f.counts]


def test_there_are_as_many_as_the_issue_names() -> None:
    assert len(HEALTHY) >= 20
