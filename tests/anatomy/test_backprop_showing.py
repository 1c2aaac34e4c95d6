"""The three forms of a worked backpropagation: the terminal's text, LaTeX, and a page that a browser shows as it is."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

from osler.anatomy.backprop.formula import parse
from osler.anatomy.backprop.mathml import mathml
from osler.anatomy.backprop.plain_formula import plain_formula
from osler.anatomy.backprop.worked import WorkedBackpropagation
from osler.anatomy.backprop.working import work_through
from osler.structures.errors import RecipeError

sys.path.append(str(Path(__file__).parents[1] / "reports"))
from devtools import Browser, find_browser

PLAIN = {
    r"W^{(2)}_{o,i}": "W⁽²⁾[o,i]",
    r"\frac{\partial L}{\partial W^{(1)}}": "∂L/∂W⁽¹⁾",
    r"\sum_{n} \delta^{(3)}_{n,o} \, x_{n,i}": "Σ{n} δ⁽³⁾[n,o] x[n,i]",
    r"\max(0, z)": "max(0, z)",
    r"\max \left( -1.5, \; -2 \right) = -1.5": "max(−1.5, −2) = −1.5",
    r"-\frac{1}{2} (v + \epsilon)^{-3/2} \sum_{n} x": "−1/2 (v + ε)^(−3/2) Σ{n} x",
    r"\frac{a + b}{\sqrt{c}}": "(a + b)/√(c)",
    r"\hat{x}_{n}": "x̂[n]",
    r"1.2 \times 10^{-5}": "1.2 × 10⁻⁵",
    r"\begin{cases} 1 & \text{if } z > 0 \\ 0 & \text{otherwise} \end{cases}": "{ 1 if z > 0; 0 otherwise }",
}


@pytest.mark.parametrize("latex", PLAIN)
def test_formulas_as_a_line_of_text(latex: str) -> None:
    assert plain_formula(latex) == PLAIN[latex]


@pytest.mark.parametrize("latex", PLAIN)
def test_formulas_as_mathml(latex: str) -> None:
    tree = ElementTree.fromstring(mathml(latex))
    assert tree.attrib["aria-label"] == latex
    assert "\\" not in "".join(tree.itertext())


@pytest.mark.parametrize("latex", [r"\unknown{x}", "x_{1", "x}", "x^1^2", r"\frac{1}"])
def test_a_formula_that_is_none_is_refused(latex: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        parse(latex)


@pytest.fixture(scope="module")
def worked() -> WorkedBackpropagation:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(8, 3)
    )  # fmt: skip
    return work_through(net, torch.randn(2, 1, 4, 4), torch.tensor([0, 2]), elements=4)


def test_the_latex_is_plain_and_closes_what_it_opens(worked: WorkedBackpropagation) -> None:
    latex = worked.latex()
    assert latex.isascii()
    bare = re.sub(r"\\[{}]", "", latex)
    depth = 0
    for letter in bare:
        depth += (letter == "{") - (letter == "}")
        assert depth >= 0
    assert depth == 0
    for environment in ("document", "equation*", "pmatrix", "tabular", "cases", "center"):
        opened, closed = (latex.count(rf"\{way}{{{environment}}}") for way in ("begin", "end"))
        assert opened == closed > 0
    assert latex.count(r"\left") == latex.count(r"\right")
    assert latex.count(r"\subsection*") == 2 * len(worked.steps) + 1
    assert latex.count(r"\boxed") == 2 * worked.values[4].numel(), "winners, forward and back"


def test_no_line_of_the_text_ends_in_spaces_and_every_step_is_there_twice(worked: WorkedBackpropagation) -> None:
    text = worked.text()
    assert str(worked) == text
    assert not re.search(r"[ \t]\n", text)
    for step in worked.steps:
        assert text.count(f"Step {step.number}  ") == 2
    assert text.index("FORWARD") < text.index("Loss: ") < text.index("BACKWARD")
    assert "\\" not in text


def test_a_name_with_markup_is_shown_and_not_obeyed() -> None:
    worked = work_through(nn.Linear(2, 2), torch.ones(1, 2), torch.tensor([0]), name="<b>&_{x}%")
    assert "<b>" not in worked.html()
    assert "&lt;b&gt;&amp;_{x}%" in worked.html()
    assert r"<b>\&\_\{x\}\%" in worked.latex()


def test_large_tensors_are_cut_and_that_is_said() -> None:
    torch.manual_seed(0)
    worked = work_through(nn.Linear(50, 2), torch.randn(1, 50), torch.tensor([0]), elements=2)
    for shown in (worked.text(), worked.html(), worked.latex()):
        assert "Shown: the first 32 of 50 columns." in shown


def test_it_is_written_by_the_files_ending(worked: WorkedBackpropagation, tmp_path: Path) -> None:
    for ending, content in ((".html", worked.html()), (".tex", worked.latex()), (".txt", worked.text())):
        assert worked.write(tmp_path / f"page{ending}").read_text(encoding="utf-8") == content
    with pytest.raises(RecipeError, match=r"written as \.html, \.tex or \.txt"):
        worked.write(tmp_path / "page.pdf")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_browser()
    if path is None:
        pytest.skip("No Chromium here: the page is not opened in a browser.")
    with Browser(path) as started:
        yield started


BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
COLOURS = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
VISIBLE = "m => m.namespaceURI.endsWith('MathML') && m.getBoundingClientRect().width > 0"
DRAWN = f"[...document.querySelectorAll('math')].every({VISIBLE})"


def test_a_browser_shows_the_page(browser: Browser, worked: WorkedBackpropagation, tmp_path: Path) -> None:
    page = worked.write(tmp_path / "page.html")
    for width in (420, 1280):
        seen = {}
        for dark in (False, True):
            visit, answers = browser.open(page, width=width, dark=dark, script=f"[{BEYOND}, {DRAWN}, {COLOURS}]")
            assert (visit.messages, visit.exceptions, visit.outside) == ([], [], [])
            beyond, drawn, seen[dark] = answers
            assert beyond <= 0, f"the page scrolls sideways at {width} pixels"
            assert drawn
        assert seen[False][0] == "rgb(255, 255, 255)"
        assert seen[False][0] != seen[True][0]
        assert seen[False][1] != seen[True][1]
