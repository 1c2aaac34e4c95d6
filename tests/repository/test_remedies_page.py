"""docs/remedies.md holds every remedy that the experiments know: training them again takes minutes, reading does not."""

import re
from pathlib import Path

import pytest

from osler.lab import explosion_remedies, overfitting_remedies, tuning_report, underfitting_remedies, vanishing_remedies

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "remedies.md").read_text(encoding="utf-8")
KNOWN = {
    "Vanishing gradients": [*vanishing_remedies.DEEP, "LSTM"],
    "Exploding gradients": [*explosion_remedies.WAYS, *explosion_remedies.RECURRENT],
    "Over-fitting": list(overfitting_remedies.REMEDIES),
    "Under-fitting": list(underfitting_remedies.REMEDIES),
    "When tuning goes badly": list(tuning_report.ITEMS) * 2,
    "Faster convergence": ["bottleneck", "residual", "learning rate and momentum", "optimiser", "pre-training"],
}


def rows(section: str) -> list[str]:
    """The first cells of all tables under a heading."""
    part = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (text,) = [p for p in part if p.startswith(section)]
    return re.findall(r"^\| ([^|]+?) \|", text, flags=re.MULTILINE)


@pytest.mark.parametrize("section", KNOWN)
def test_every_remedy_of_the_code_is_in_the_page_and_no_other(section: str) -> None:
    found = [cell for cell in rows(section) if cell not in ("remedy", "question", "---", "none")]
    assert found == KNOWN[section], "run python tools/remedy_tables.py"


def test_the_page_names_its_command_and_its_pictures_are_there() -> None:
    assert "`python tools/remedy_tables.py`" in PAGE[:300]
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE)
    assert len(pictures) == 2
    for picture in pictures:
        assert (DOCS / picture).read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize(
    "settings",
    [[how for how, _ in vanishing_remedies.DEEP.values()], [how for how, _ in overfitting_remedies.REMEDIES.values()]],
)
def test_the_settings_are_those_of_the_code(settings: list[str]) -> None:
    for how in settings:
        assert f"| {how} |" in PAGE, "run python tools/remedy_tables.py"
