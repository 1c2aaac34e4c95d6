"""What a check of gradients found: a row for each tensor, kinks by name, and a verdict."""

import math
from dataclasses import dataclass, field

from osler.anatomy.kinks import Crossing
from osler.ops.slopes import GradientCheck

SHOWN = 3  # units that a kink names


@dataclass(frozen=True, slots=True)
class Kink:
    """A number whose small move carries some unit over a kink, where there is no one gradient."""

    tensor: str
    index: tuple[int, ...]
    offset: float  # from the number to the kink; nan where it could not be found
    units: tuple[Crossing, ...]  # that cross it; empty where the kink is in a function outside of modules

    def __str__(self) -> str:
        where = ", ".join(map(str, self.units[:SHOWN])) or "a function outside of modules"
        more = f" and {len(self.units) - SHOWN} more" if len(self.units) > SHOWN else ""
        away = "" if math.isnan(self.offset) else f" at {self.offset:+.1e} from it"
        return f"{self.tensor}{list(self.index)}: a kink{away} in {where}{more}"


@dataclass(frozen=True, slots=True)
class TensorCheck:
    """One tensor's gradient."""

    name: str  # a parameter's, or input 0, input 1 ...
    shape: tuple[int, ...]
    checked: int  # numbers of it that were moved
    relative_error: float  # largest difference over the largest gradient of the tensor, by either way
    worst: tuple[int, ...]  # where the difference is largest
    backpropagated: float  # there
    measured: float  # there, by central differences
    kinks: tuple[Kink, ...]


@dataclass(frozen=True, slots=True)
class GradientReport:
    """What a check of gradients found. It is true where they are right."""

    tensors: tuple[TensorCheck, ...]
    tolerance: float
    whole: GradientCheck = field(repr=False)  # all tensors moved at once, each along its gradient

    @property
    def passed(self) -> bool:
        """Every tensor within the tolerance, and none that backpropagation does not reach although it matters."""
        return not self.wrong and not self.whole.missing

    @property
    def wrong(self) -> list[TensorCheck]:
        """Tensors beyond the tolerance, the worst first."""
        off = [t for t in self.tensors if not t.relative_error <= self.tolerance]
        return sorted(off, key=lambda t: -t.relative_error)

    @property
    def relative_error(self) -> float:
        """Of the worst tensor."""
        return max(t.relative_error for t in self.tensors)

    @property
    def kinks(self) -> list[Kink]:
        """Of all tensors."""
        return [kink for t in self.tensors for kink in t.kinks]

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        width = max(len(t.name) for t in self.tensors)
        lines = [f"{'tensor':{width}}  {'shape':>14}  {'checked':>7}  {'relative error':>14}"]
        for t in self.tensors:
            shape = "x".join(map(str, t.shape)) or "scalar"
            said = "" if t.relative_error <= self.tolerance else (
                f"  WRONG: at {list(t.worst)} {t.backpropagated:.4g} by backpropagation, {t.measured:.4g} by differences"
            )  # fmt: skip
            lines.append(f"{t.name:{width}}  {shape:>14}  {t.checked:7}  {t.relative_error:14.1e}{said}")
        lines += [str(kink) for kink in self.kinks]
        if self.whole.missing:
            lines.append(f"Backpropagation does not reach {self.whole.missing} tensors on which the result depends.")
        lines.append("The gradients are right." if self.passed else "The gradients are wrong.")
        return "\n".join(lines)
