"""The worked backpropagation as text: formulas as lines, tensors as columns of numbers."""

from collections.abc import Iterator

from osler.anatomy.backprop.cutting import blocks
from osler.anatomy.backprop.numbers import rounded
from osler.anatomy.backprop.plain_formula import plain_formula
from osler.anatomy.backprop.statement import Figure, Statement, axes_of
from osler.anatomy.backprop.worked import WorkedBackpropagation

INDENT = "    "


def as_text(worked: WorkedBackpropagation) -> str:
    """Comparison first, then forward, loss, backward."""
    return "\n".join(line.rstrip() for line in _lines(worked)) + "\n"


def _lines(worked: WorkedBackpropagation) -> Iterator[str]:
    yield f"Backpropagation through {worked.network}, worked by hand in double precision"
    yield worked.verdict
    yield ""
    yield from comparison_lines(worked)
    yield ""
    yield "x⁽ᵏ⁾: the values behind step k, x⁽⁰⁾ the sample.  δ⁽ᵏ⁾ = ∂L/∂x⁽ᵏ⁾.  Elements are counted from 0."
    yield from _heading("FORWARD")
    yield from _figure(Figure("x^{(0)}", worked.sample, axes_of(worked.sample.ndim)))
    for step in worked.steps:
        yield from _step_heading(step.number, step.name, step.kind, step.inputs)
        yield from _statements(step.forward)
    yield ""
    yield f"Loss: {worked.loss_name}"
    yield from _statements(worked.loss_forward)
    yield from _heading("BACKWARD")
    yield f"Loss: {worked.loss_name}"
    yield from _statements(worked.loss_backward)
    for step in reversed(worked.steps):
        if step.number in worked.sums:
            yield from _statements([worked.sums[step.number]])
        yield from _step_heading(step.number, step.name, step.kind, step.inputs)
        yield from _statements(step.backward)
    if 0 in worked.sums:
        yield from _statements([worked.sums[0]])


def comparison_lines(worked: WorkedBackpropagation) -> Iterator[str]:
    """A row for each tensor."""
    width = max(len(row.tensor) for row in worked.differences)
    yield f"{'gradient in':{width}}  {'shape':>14}  {'largest':>10}  {'to autograd':>11}  {'to differences':>14}  elements"
    for row in worked.differences:
        by_differences = "" if row.by_differences is None else f"{row.by_differences:.1e}"
        total = f"{row.checked} of {_count(row.shape)}" if row.checked else ""
        kinks = f", {row.kinks} beside a kink" if row.kinks else ""
        shape = "x".join(map(str, row.shape)) or "scalar"
        wrong = "" if row.agrees else "  WRONG"
        sizes = f"{row.gradient:10.4g}  {row.by_autograd:11.1e}  {by_differences:>14}"
        yield f"{row.tensor:{width}}  {shape:>14}  {sizes}  {total}{kinks}{wrong}"


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _heading(words: str) -> Iterator[str]:
    yield from ("", f"{'=' * 8} {words} {'=' * (70 - len(words))}", "")


def _step_heading(number: int, name: str, kind: str, inputs: tuple[int, ...]) -> Iterator[str]:
    taken = ", ".join(plain_formula(f"x^{{({i})}}") for i in inputs)
    yield ""
    yield f"Step {number}  {name}{f'  {kind}' if kind else ''}  of {taken}"


def _statements(statements: "tuple[Statement, ...] | list[Statement]") -> Iterator[str]:
    for statement in statements:
        yield f"{INDENT}{statement.says}"
        for formula in (statement.formula, statement.example):
            if formula:
                yield f"{INDENT}{INDENT}{plain_formula(formula)}"
        for figure in statement.figures:
            yield from _figure(figure)


def _figure(figure: Figure) -> Iterator[str]:
    """Blocks one below the other; what won is marked with a star."""
    found = blocks(figure)
    symbol = plain_formula(figure.symbol)
    for block in found.blocks:
        label = f"{symbol}, {block.label}" if block.label else symbol
        rows = [[f"{rounded(v)}{'*' if m else ' '}" for v, m in zip(r, marks, strict=True)]
                for r, marks in zip(block.rows, block.marks, strict=True)]  # fmt: skip
        width = max((len(cell) for row in rows for cell in row), default=0)
        if len(rows) == 1:
            yield f"{INDENT}{INDENT}{label} = {'  '.join(cell.strip() for cell in rows[0])}"
            continue
        yield f"{INDENT}{INDENT}{label} ="
        for row in rows:
            yield INDENT * 3 + "  ".join(f"{cell:>{width}}" for cell in row)
    if found.left_out:
        yield f"{INDENT}{INDENT}({found.left_out})"
