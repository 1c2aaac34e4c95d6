"""Consequences stand under their causes; what nothing explains stands alone; nothing is lost."""

from collections import Counter
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from osler.doctor.causes import BRINGS, fold
from osler.structures.finding import Finding, Severity

NAMES = sorted({*BRINGS, *(effect for effects in BRINGS.values() for effect in effects)})
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "note")


def _finding(fault: str, certainty: float = 0.8, severity: Severity = "critical") -> Finding:
    return Finding(fault, severity, "seen", certainty=certainty)


def _all(findings: list[Finding]) -> Iterator[str]:
    for finding in findings:
        yield finding.fault
        yield from _all(list(finding.consequences))


def test_a_chain_is_one_finding() -> None:
    chain = [_finding("plateau", 0.5), _finding("dead-relu", 0.6), _finding("learning-rate-too-high", 0.8)]
    folded = fold(chain)
    assert [f.fault for f in folded] == ["learning-rate-too-high"]
    assert sorted(c.fault for c in folded[0].consequences) == ["dead-relu", "plateau"]


def test_two_causes_stand_beside_each_other() -> None:
    folded = fold([_finding("not-shuffled"), _finding("train-test-leak")])
    assert {f.fault for f in folded} == {"not-shuffled", "train-test-leak"}


def test_a_note_explains_nothing() -> None:
    folded = fold([_finding("learning-rate-too-high", severity="note"), _finding("plateau", 0.5)])
    assert {f.fault for f in folded} == {"learning-rate-too-high", "plateau"}


def test_a_doubtful_cause_does_not_swallow_a_certain_finding() -> None:
    folded = fold([_finding("learning-rate-too-high", 0.3), _finding("dead-relu", 0.9)])
    assert len(folded) == 2


@given(
    st.lists(
        st.builds(_finding, st.sampled_from(NAMES), st.floats(0, 1), st.sampled_from(SEVERITIES)),
        max_size=8,
        unique_by=lambda f: f.fault,
    )
)
def test_nothing_is_lost_and_nothing_told_twice(findings: list[Finding]) -> None:
    assert Counter(_all(fold(findings))) == Counter(f.fault for f in findings)
