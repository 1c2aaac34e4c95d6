"""Every fault of the catalogue has a check with a whole page, and causes name faults that exist."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from osler.doctor import thresholds
from osler.doctor.causes import BRINGS
from osler.doctor.explaining import all_pages, fault_named, fault_page
from osler.doctor.fault import all_checks
from osler.structures.errors import UnknownNameError

OF_DETECTION = {
    "all-anchors-negative", "anchors-miss-objects", "box-corners-swapped", "box-outside-picture", "box-without-area",
    "boxes-in-other-format", "class-never-validated", "duplicate-boxes", "masks-off-boxes", "objects-below-stride",
}  # fmt: skip
CATALOGUE = Path(__file__).parents[2].parent / "shared" / "doctor" / "faults.json"


def test_all_faults_of_the_catalogue_are_looked_for_under_their_category() -> None:
    if not CATALOGUE.exists():
        pytest.skip("../shared is not here: its catalogue of faults cannot be compared")
    wanted = {fault["fault"]: fault["category"] for fault in json.loads(CATALOGUE.read_text())}
    assert len(wanted) == 74
    ours = {name: check.fault.category for name, check in all_checks().items()}
    assert {name: ours.get(name) for name in wanted} == wanted


def test_the_further_faults_are_those_of_detection() -> None:
    if not CATALOGUE.exists():
        pytest.skip("../shared is not here: its catalogue of faults cannot be compared")
    wanted = {fault["fault"] for fault in json.loads(CATALOGUE.read_text())}
    assert set(all_checks()) - wanted - {"crash"} == OF_DETECTION


@pytest.mark.parametrize("name", sorted(all_checks()))
def test_a_page_tells_everything(name: str) -> None:
    fault = fault_named(name)
    for text in (fault.title, fault.symptom, fault.cause, fault.seen_by):
        assert len(text) >= 12, name
    assert fault.remedies
    assert all(remedy.change.endswith(".") for remedy in fault.remedies)
    assert fault.sources
    page = fault_page(fault)
    assert fault.cause in page
    assert page in all_pages() or page.replace("# ", "### ", 1) in all_pages()


def test_causes_bring_about_faults_that_exist() -> None:
    names = set(all_checks())
    assert set(BRINGS) <= names
    assert {effect for effects in BRINGS.values() for effect in effects} <= names
    assert not [cause for cause, effects in BRINGS.items() if cause in effects]


def test_an_unknown_fault_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="dead-relu"):
        fault_named("dead-rellu")


def test_no_threshold_is_written_twice() -> None:
    text = "\n".join(path.read_text() for path in Path(thresholds.__file__).parent.glob("*.py"))
    names = re.findall(r"^([A-Z][A-Z0-9_]+)\b.* = ", text, re.MULTILINE)
    assert [name for name, count in Counter(names).items() if count > 1] == []
