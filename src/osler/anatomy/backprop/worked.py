"""The result: every step forward and back, how it compares, and the three forms in which it is written."""

from dataclasses import dataclass
from pathlib import Path

from osler.anatomy.backprop.comparison import AUTOGRAD, DIFFERENCES, Difference
from osler.anatomy.backprop.rule import Values
from osler.anatomy.backprop.statement import Statement, Step
from osler.structures.errors import RecipeError
from osler.structures.files import write_text


@dataclass(frozen=True, slots=True)
class WorkedBackpropagation:
    """One forward and one backward pass, written out.

    >>> worked = osler.worked_backpropagation("convnet", size=8) # doctest: +SKIP
    >>> print(worked); worked.write("page.html")                # doctest: +SKIP
    """

    network: str
    sample: Values
    steps: tuple[Step, ...]
    loss_name: str
    loss: float
    loss_forward: tuple[Statement, ...]
    loss_backward: tuple[Statement, ...]
    sums: dict[int, Statement]  # of values that several steps take, where their gradients add up
    differences: tuple[Difference, ...]
    values: tuple[Values, ...]  # x(0), the sample, to the raw outputs
    gradients: dict[str, Values]  # of the parameters, by name; and of the values, as x(0), x(1) ...

    @property
    def agrees(self) -> bool:
        """Whether every gradient is autograd's to 1e-6, and central differences' to 1e-4."""
        return all(row.agrees for row in self.differences)

    @property
    def verdict(self) -> str:
        """The comparison in a sentence."""
        by_autograd = max(row.by_autograd for row in self.differences)
        by_differences = max(row.by_differences or 0.0 for row in self.differences)
        wrong = [row.tensor for row in self.differences if not row.agrees]
        numbers = f"largest difference to autograd {by_autograd:.1e} (allowed {AUTOGRAD:.0e}), to central differences "
        numbers += f"{by_differences:.1e} (allowed {DIFFERENCES:.0e})"
        return (
            f"All gradients agree: {numbers}." if not wrong else f"These do not agree: {', '.join(wrong)}; {numbers}."
        )

    def text(self) -> str:
        """For a terminal: formulas as lines, tensors as columns of numbers."""
        from osler.anatomy.backprop.text import as_text

        return as_text(self)

    def html(self) -> str:
        """One page without a request to anywhere: formulas as MathML with their LaTeX, numbers tinted by size."""
        from osler.anatomy.backprop.page import as_page

        return as_page(self)

    def latex(self) -> str:
        """A document for LaTeX."""
        from osler.anatomy.backprop.latex import as_latex

        return as_latex(self)

    def write(self, path: str | Path) -> Path:
        """Written in the form that the file's name ends in: .html, .tex or .txt.

        Raises:
            RecipeError: it ends in none of these.
        """
        path = Path(path)
        forms = {".html": self.html, ".tex": self.latex, ".txt": self.text}
        if path.suffix not in forms:
            raise RecipeError(f"{path}: a worked backpropagation is written as .html, .tex or .txt.")
        write_text(path, forms[path.suffix]())
        return path

    def __str__(self) -> str:
        return self.text()
