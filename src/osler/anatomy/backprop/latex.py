"""The worked backpropagation as a document for LaTeX."""

from collections.abc import Iterator, Sequence

from osler.anatomy.backprop.cutting import blocks
from osler.anatomy.backprop.numbers import number
from osler.anatomy.backprop.statement import Figure, Statement, Step, axes_of
from osler.anatomy.backprop.worked import WorkedBackpropagation

HEAD = r"""\documentclass{article}
\usepackage{amsmath,graphicx}
\usepackage[margin=2cm]{geometry}
\setcounter{MaxMatrixCols}{64}
\allowdisplaybreaks
\begin{document}
"""
SPECIAL = str.maketrans({c: rf"\{c}" for c in "_%&#${}"} | {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"})


def as_latex(worked: WorkedBackpropagation) -> str:
    """To be set with any LaTeX that has amsmath, graphicx and geometry."""
    return HEAD + "\n".join(_parts(worked)) + "\n\\end{document}\n"


def _parts(worked: WorkedBackpropagation) -> Iterator[str]:
    yield rf"\section*{{Backpropagation through {_words(worked.network)}}}"
    yield _words(worked.verdict)
    yield from _comparison(worked)
    yield r"\section*{Forward}"
    yield from _figure(Figure("x^{(0)}", worked.sample, axes_of(worked.sample.ndim)))
    for step in worked.steps:
        yield _step(step)
        yield from _statements(step.forward)
    yield rf"\subsection*{{Loss: {_words(worked.loss_name)}}}"
    yield from _statements(worked.loss_forward)
    yield r"\section*{Backward}"
    yield from _statements(worked.loss_backward)
    for step in reversed(worked.steps):
        if step.number in worked.sums:
            yield from _statements([worked.sums[step.number]])
        yield _step(step)
        yield from _statements(step.backward)
    if 0 in worked.sums:
        yield from _statements([worked.sums[0]])


def _comparison(worked: WorkedBackpropagation) -> Iterator[str]:
    yield r"\begin{center}\begin{tabular}{lrrr}"
    yield r"gradient in & largest & to autograd & to central differences \\ \hline"
    for row in worked.differences:
        by_differences = "" if row.by_differences is None else f"{row.by_differences:.1e}"
        yield rf"{_words(row.tensor)} & {row.gradient:.4g} & {row.by_autograd:.1e} & {by_differences} \\"
    yield r"\end{tabular}\end{center}"


def _step(step: Step) -> str:
    return rf"\subsection*{{Step {step.number}: {_words(step.name)} {_words(step.kind)}}}"


def _statements(statements: Sequence[Statement]) -> Iterator[str]:
    for statement in statements:
        yield "\n" + _words(statement.says)
        for formula in (statement.formula, statement.example):
            if formula:
                yield _shown(formula)
        for figure in statement.figures:
            yield from _figure(figure)


def _figure(figure: Figure) -> Iterator[str]:
    """Matrices; what won stands in a box."""
    found = blocks(figure)
    for block in found.blocks:
        lines = []
        for row, marks in zip(block.rows, block.marks, strict=True):
            cells = [rf"\boxed{{{number(v)}}}" if m else number(v) for v, m in zip(row, marks, strict=True)]
            lines.append(" & ".join(cells))
        label = rf" \quad \text{{{block.label}}}" if block.label else ""
        matrix = r"\begin{pmatrix} " + r" \\ ".join(lines) + r" \end{pmatrix}"
        yield _shown(f"{figure.symbol} = {matrix}{label}")
    if found.left_out:
        yield _words(found.left_out)


def _shown(formula: str) -> str:
    """A line of its own, made smaller where it is wider than the page."""
    fitted = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}"
    return rf"\begin{{equation*}}{fitted}{{$\displaystyle {formula}$}}\end{{equation*}}"


def _words(text: str) -> str:
    """Text with LaTeX's own signs made harmless."""
    return text.translate(SPECIAL)
