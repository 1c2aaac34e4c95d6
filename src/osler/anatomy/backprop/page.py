"""The worked backpropagation as one HTML page without scripts and without a request to anywhere."""

import re
from collections.abc import Iterator, Sequence
from html import escape

from osler.anatomy.backprop.cutting import Block, blocks
from osler.anatomy.backprop.mathml import inline_mathml, mathml, wrapping_mathml
from osler.anatomy.backprop.numbers import rounded
from osler.anatomy.backprop.page_style import STEPS, style, tint
from osler.anatomy.backprop.statement import Figure, Statement, Step, axes_of
from osler.anatomy.backprop.worked import WorkedBackpropagation


def as_page(worked: WorkedBackpropagation) -> str:
    """A complete document."""
    title = f"Backpropagation through {escape(worked.network)}"
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    body = "\n".join(_body(worked, title))
    head += f"<title>{title}</title><style>{style()}</style>"
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def _body(worked: WorkedBackpropagation, title: str) -> Iterator[str]:
    yield f"<header><h1>{title}, worked by hand</h1>"
    yield f'<p class="{"good" if worked.agrees else "bad"}">{_unbroken(worked.verdict)}</p>'
    yield _how_to_read()
    yield "</header>"
    yield from _contents(worked)
    yield "<main>"
    yield '<h2 id="comparison">Against autograd and central differences</h2>'
    yield from _comparison(worked)
    yield '<h2 id="forward">Forward</h2>'
    yield '<section class="step"><h3>The sample</h3>'
    yield from _figure(Figure("x^{(0)}", worked.sample, axes_of(worked.sample.ndim)))
    yield "</section>"
    for step in worked.steps:
        yield from _step(step, "f", step.forward)
    yield from _loss("f", worked.loss_name, worked.loss_forward)
    yield '<h2 id="backward">Backward</h2>'
    yield from _loss("b", worked.loss_name, worked.loss_backward)
    for step in reversed(worked.steps):
        if step.number in worked.sums:
            yield f'<section class="step"><h3>Where ways meet</h3>{"".join(_said(worked.sums[step.number]))}</section>'
        yield from _step(step, "b", step.backward)
    if 0 in worked.sums:
        yield f'<section class="step"><h3>Where ways meet</h3>{"".join(_said(worked.sums[0]))}</section>'
    yield "</main>"


def _how_to_read() -> str:
    value, error = inline_mathml("x^{(k)}"), inline_mathml(r"\delta^{(k)} = \frac{\partial L}{\partial x^{(k)}}")
    key = "".join(f'<span class="n{i}"></span>' for i in range(STEPS, 0, -1))
    key += "<span></span>" + "".join(f'<span class="p{i}"></span>' for i in range(1, STEPS + 1))
    return (
        f'<p class="quiet">{value} are the values behind step k, {inline_mathml("x^{(0)}")} is the sample; {error} is what '
        "backpropagation is after. Every formula is followed by one element of it in numbers, the largest; elements are "
        f"counted from 0, and terms that are zero are left out. Tints run from negative to positive within a tensor: "
        f'<span class="key" aria-hidden="true">{key}</span></p>'
    )


def _unbroken(text: str) -> str:
    """Powers of ten stay in one line."""
    return re.sub(r"(?<=\de)-", "−", escape(text))


def _contents(worked: WorkedBackpropagation) -> Iterator[str]:
    yield '<nav aria-label="Contents"><p><a href="#comparison">Comparison</a></p><p><a href="#forward">Forward</a>'
    for step in worked.steps:
        yield f'<a href="#f{step.number}">{step.number} {escape(_short(step))}</a>'
    yield '<a href="#floss">Loss</a></p><p><a href="#backward">Backward</a><a href="#bloss">Loss</a>'
    for step in reversed(worked.steps):
        yield f'<a href="#b{step.number}">{step.number} {escape(_short(step))}</a>'
    yield "</p></nav>"


def _short(step: Step) -> str:
    return step.kind.split("(")[0] or step.name


def _comparison(worked: WorkedBackpropagation) -> Iterator[str]:
    names = "gradient in", "shape", "largest", "difference to autograd", "to central differences", "elements", ""
    yield f'<div class="wide"><table class="rows"><thead><tr>{"".join(f"<th>{n}</th>" for n in names)}</tr></thead><tbody>'
    for row in worked.differences:
        by_differences = "" if row.by_differences is None else f"{row.by_differences:.1e}"
        checked = f"{row.checked}{f', {row.kinks} beside a kink' if row.kinks else ''}" if row.checked else ""
        verdict = '<span class="good">agrees</span>' if row.agrees else '<span class="bad">differs</span>'
        shape = "×".join(map(str, row.shape)) or "scalar"
        cells = (
            escape(row.tensor),
            shape,
            rounded(row.gradient),
            f"{row.by_autograd:.1e}",
            by_differences,
            checked,
            verdict,
        )
        yield f"<tr>{''.join(f'<td>{c}</td>' for c in cells)}</tr>"
    yield "</tbody></table></div>"


def _step(step: Step, way: str, statements: Sequence[Statement]) -> Iterator[str]:
    title = f"Step {step.number}: {_short(step)}"
    taken = " and ".join(inline_mathml(f"x^{{({i})}}") for i in step.inputs)
    named = f"{step.name}: {step.kind}" if step.kind else step.name
    yield f'<section class="step" id="{way}{step.number}"><h3>{escape(title)}</h3><p>{escape(named)} of {taken}</p>'
    for statement in statements:
        yield from _said(statement)
    yield "</section>"


def _loss(way: str, name: str, statements: Sequence[Statement]) -> Iterator[str]:
    yield f'<section class="step" id="{way}loss"><h3>Loss: {escape(name)}</h3>'
    for statement in statements:
        yield from _said(statement)
    yield "</section>"


def _said(statement: Statement) -> Iterator[str]:
    yield f'<div class="said"><p>{escape(statement.says)}</p>'
    if statement.formula:
        yield f'<div class="wide">{mathml(statement.formula)}</div>'
    if statement.example:
        yield f'<div class="example">{wrapping_mathml(statement.example)}</div>'
    if statement.formula:
        source = "\n".join(part for part in (statement.formula, statement.example) if part)
        yield f"<details><summary>LaTeX</summary><code>{escape(source)}</code></details>"
    for figure in statement.figures:
        yield from _figure(figure)
    yield "</div>"


def _figure(figure: Figure) -> Iterator[str]:
    found = blocks(figure)
    yield f'<div class="wide"><div class="figure"><div class="sign">{inline_mathml(figure.symbol)}</div><div class="tables">'
    for block in found.blocks:
        yield _table(block, found.largest)
    yield "</div></div></div>"
    if found.left_out:
        yield f'<p class="quiet">{escape(found.left_out)}</p>'


def _table(block: Block, largest: float) -> str:
    caption = f"<caption>{escape(block.label)}</caption>" if block.label else ""
    rows = []
    for values, marks in zip(block.rows, block.marks, strict=True):
        cells = []
        for value, won in zip(values, marks, strict=True):
            names = " ".join(filter(None, (tint(value, largest), "won" if won else "")))
            cells.append(
                f"<td{f' class={chr(34)}{names}{chr(34)}' if names else ''}>{rounded(value).replace('-', '−')}</td>"
            )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f'<table class="numbers">{caption}<tbody>{"".join(rows)}</tbody></table>'
