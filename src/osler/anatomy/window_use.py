"""A window as a layer used it, and the textbooks' formula for its output size, worked out with its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

from osler.anatomy.rules.call import Call
from osler.anatomy.rules.windows import spread
from osler.ops.convolution import Window

Way = Literal["convolution", "transposed", "pooling", "adaptive"]


@dataclass(frozen=True, slots=True)
class WindowUse:
    """A kernel that walked over a map; numbers for each side of the map."""

    way: Way
    input: tuple[int, ...]
    output: tuple[int, ...]
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    output_padding: tuple[int, ...] = ()
    ceil: bool = False
    groups: int = 1
    channels: tuple[int, int] = (0, 0)  # in and out

    @property
    def short(self) -> str:
        """Kernel, stride, padding and dilation as in `3x3/2 p1 d2`; what is usual is left out."""
        if self.way == "adaptive":
            return f"to {_sides(self.output)}"
        parts = [_sides(self.kernel, always=True)]
        if set(self.stride) != {1}:
            parts[0] += f"/{_sides(self.stride)}"
        for letter, values, usual in (("p", self.padding, 0), ("d", self.dilation, 1)):
            if set(values) != {usual}:
                parts.append(letter + _sides(values))
        if self.groups > 1:
            parts.append(f"g{self.groups}")
        return " ".join(parts)

    @property
    def formulas(self) -> tuple[str, ...]:
        """The output size worked out, one line for each side; one for all where they are alike."""
        return tuple(dict.fromkeys(self._formula(i) for i in range(len(self.output))))

    @property
    def unseen(self) -> int:
        """Rows or columns of the map itself, not of its padding, at the end that no window reaches; the most of any side.

        Windows that leave gaps everywhere (a 1x1 kernel with a stride of 2) mean to.
        """
        if self.way not in ("convolution", "pooling") or any(
            s > k for s, k in zip(self.stride, self.kernel, strict=True)
        ):
            return 0
        ends = [
            n + p - ((m - 1) * s + d * (k - 1) + 1)
            for n, m, k, s, p, d in zip(
                self.input, self.output, self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        ]
        return max(0, *ends)

    @property
    def worked_cost(self) -> str:
        """The multiply-adds worked out: positions x output channels x input channels of the group x kernel."""
        if self.way not in ("convolution", "transposed"):
            return ""
        positions = self.output if self.way == "convolution" else self.input
        of_group = self.channels[0] // self.groups
        total = prod(positions) * self.channels[1] * of_group * prod(self.kernel)
        return f"{'·'.join(map(str, positions))} · {self.channels[1]} · {of_group} · {'·'.join(map(str, self.kernel))} = {total:,}"

    def _formula(self, side: int) -> str:
        size, out = self.input[side], self.output[side]
        if self.way == "adaptive":
            return f"{size} positions shared out among {out}"
        kernel, stride, padding, dilation = (v[side] for v in (self.kernel, self.stride, self.padding, self.dilation))
        span = f"({dilation}·({kernel} - 1) + 1)" if dilation > 1 else str(kernel)
        if self.way == "transposed":
            return f"({size} - 1)·{stride} - 2·{padding} + {span} + {self.output_padding[side]} = {out}"
        window = Window(kernel, stride, padding, dilation, self.ceil)
        exact = window.exact(size)
        worked = f"({size} - {span} + 2·{padding})/{stride} + 1 = {exact:.10g}"
        if exact == out:
            return worked
        if out == int(exact):
            return f"{worked}, {'no window may begin in the padding' if self.ceil else 'rounded down'}: {out}"
        return f"{worked}, rounded up: {out}"


def window_use(call: Call) -> WindowUse | None:
    """How a call walked over its map; None for operators without a window."""
    given, name = call.arguments, call.name
    if name.endswith("convolution"):
        return _convolution(call)
    if "_pool" not in name:
        return None
    count = int(name[name.index("d", name.index("pool")) - 1])
    before, after = (tuple(t.shape[-count:]) for t in (given["self"], call.outputs[0]))
    if "adaptive" in name:
        return WindowUse("adaptive", before, after)
    kernel = tuple(spread(given["kernel_size"], count))
    usual: dict[str, int | list[int]] = {"stride": list(kernel), "padding": 0, "dilation": 1}
    stride, padding, dilation = (tuple(spread(given.get(key) or value, count)) for key, value in usual.items())
    return WindowUse("pooling", before, after, kernel, stride, padding, dilation, ceil=bool(given["ceil_mode"]))


def _convolution(call: Call) -> WindowUse:
    given = call.arguments
    x, weight, count = given["input"], given["weight"], given["weight"].ndim - 2
    stride, padding, dilation, extra = (
        tuple(spread(given[key], count)) for key in ("stride", "padding", "dilation", "output_padding")
    )
    return WindowUse(
        "transposed" if given["transposed"] else "convolution",
        tuple(x.shape[2:]),
        tuple(call.shape[2:]),
        tuple(weight.shape[2:]),
        stride,
        padding,
        dilation,
        extra,
        groups=given["groups"],
        channels=(x.shape[1], call.shape[1]),
    )


def _sides(values: Sequence[int], *, always: bool = False) -> str:
    """`3x5`; one number where all are the same, unless `always`."""
    return "x".join(map(str, values)) if always or len(set(values)) > 1 else str(values[0])
