"""Layers over time as heat maps, drawn as SVG in the report's colours."""

import math
from dataclasses import dataclass

from osler.reports.html import Html, element, join
from osler.vitals.evidence import Evidence, LayerSeen, ModelSeen

CELL_HEIGHT, WIDTH, LABEL = 18, 720, 190
COLUMNS_MOST, ROWS_MOST = 60, 80
LEVELS = 10


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Rows of numbers over columns of steps; NaN is an empty cell."""

    title: str
    unit: str
    rows: list[tuple[str, list[float]]]
    steps: list[int]

    def svg(self) -> Html:
        """The drawing, with the range of its colours in words; each cell tells its number when pointed at."""
        values = [v for _, row in self.rows for v in row if math.isfinite(v)]
        low, high = (min(values), max(values)) if values else (0.0, 0.0)
        width = (WIDTH - LABEL) / max(1, len(self.steps))
        cells = []
        for r, (name, row) in enumerate(self.rows):
            y = r * CELL_HEIGHT
            label = name if len(name) <= 26 else "…" + name[-25:]
            cells.append(_text(label, LABEL - 8, y + CELL_HEIGHT * 0.72, anchor="end"))
            cells += [
                _cell(LABEL + c * width, y, width, _level(v, low, high), f"{name}, update {self.steps[c]}: {v:.3g}")
                for c, v in enumerate(row)
                if not math.isnan(v)
            ]
        bottom = len(self.rows) * CELL_HEIGHT
        last = len(self.steps) - 1
        for c in sorted({0, last // 2, last}) if self.steps else ():
            x = WIDTH if c == last else LABEL + (c + 0.5) * width
            cells.append(_text(f"{self.steps[c]:,}", x, bottom + 16, anchor="end" if c == last else "middle"))
        cells.append(_text("update", LABEL - 8, bottom + 16, anchor="end"))
        box = f"0 0 {WIDTH} {bottom + 24}"
        drawing = element("svg", *cells, viewBox=box, role="img", aria_label=self.title)
        span = f"{self.unit}, from {low:.3g} (pale) to {high:.3g} (strong)" if values else "nothing was sampled"
        caption = element("figcaption", element("b", self.title), element("span", span))
        return element("figure", caption, drawing, class_="drawing heat")


def heat_maps(evidence: Evidence, model: ModelSeen) -> list[HeatMap]:
    """Gradients, activations, silent units and updates of a network's layers, in the order of the forward pass."""
    layers = sorted((x for x in model.layers.values() if x.samples and x.order is not None), key=lambda x: x.order or 0)
    layers = layers[:: max(1, -(-len(layers) // ROWS_MOST))]
    steps = sorted({s.step for layer in layers for s in layer.samples})
    steps = steps[:: max(1, -(-len(steps) // COLUMNS_MOST))]
    if not layers or not steps:
        return []
    maps = [
        HeatMap("Gradients", "log10 of the root mean square of what comes back to a layer's output", [], steps),
        HeatMap("Activations", "log10 of the spread of a layer's output", [], steps),
        HeatMap("Silent units", "share of units that put out 0 for a whole batch", [], steps),
    ]
    for layer in layers:
        by_step = {s.step: s for s in reversed(layer.samples)}
        picked = [by_step.get(step) for step in steps]
        name = _name(layer)
        maps[0].rows.append((name, [_log(s.gradient_rms) if s else math.nan for s in picked]))
        maps[1].rows.append((name, [_log(s.output.std) if s else math.nan for s in picked]))
        if any(s is not None and s.silent > 0 for s in picked):
            maps[2].rows.append((name, [s.silent if s else math.nan for s in picked]))
    return [m for m in (*maps, _updates(evidence, model)) if m is not None and m.rows]


def _updates(evidence: Evidence, model: ModelSeen) -> HeatMap | None:
    for optimizer in evidence.optimizers:
        samples = optimizer.samples[:: max(1, -(-len(optimizer.samples) // COLUMNS_MOST))]
        names = [n for n in model.parameters if any(n in s.updates for s in samples)]
        names = [n for n in names if len(model.parameters[n].shape) > 1][:ROWS_MOST]
        if names and samples:
            rows = [
                (n, [_log(s.updates[n] / s.weights[n]) if s.weights.get(n) else math.nan for s in samples])
                for n in names
            ]
            return HeatMap(
                "Updates",
                "log10 of the length of an update over the length of the weights",
                rows,
                [s.step for s in samples],
            )
    return None


def _name(layer: LayerSeen) -> str:
    return layer.name if " (line" in layer.name else f"{layer.name} {layer.kind}"


def _log(value: float) -> float:
    return math.log10(value) if value > 0 and math.isfinite(value) else math.nan


def _level(value: float, low: float, high: float) -> int:
    return min(LEVELS - 1, int((value - low) / (high - low) * LEVELS)) if high > low else LEVELS // 2


def _cell(x: float, y: float, width: float, level: int, title: str) -> Html:
    return element(
        "rect", element("title", title), x=f"{x:.1f}", y=y + 1, width=f"{max(1, width - 1):.1f}", height=CELL_HEIGHT - 2,
        style=f"fill:var(--level-{level})",
    )  # fmt: skip


def _text(text: str, x: float, y: float, *, anchor: str) -> Html:
    return element(
        "text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, style="fill:var(--muted);font-size:11px"
    )


def line_plot(name: str, steps: list[int], values: list[float], *, logarithmic: bool = False) -> Html:
    """A curve over updates, with its axes named and its ends in numbers; values that are not finite leave gaps."""
    width, height, left, bottom = 420.0, 150.0, 56.0, 26.0
    shown = [_log(v) if logarithmic else v for v in values]
    finite = [v for v in shown if math.isfinite(v)]
    if not finite:
        return element("p", f"{name}: no finite value", class_="lede")
    low, high = min(finite), max(finite)
    span, last = (high - low) or 1.0, (max(steps) - min(steps)) or 1
    points = [
        (left + (s - min(steps)) / last * (width - left - 8), 8 + (high - v) / span * (height - bottom - 16))
        for s, v in zip(steps, shown, strict=True)
        if math.isfinite(v)
    ]
    path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    parts = [
        element("path", d=path, style="fill:none;stroke:var(--series-1);stroke-width:1.6"),
        _text(f"{values[shown.index(high)]:.3g}", left - 8, 14, anchor="end"),
        _text(f"{values[shown.index(low)]:.3g}", left - 8, height - bottom - 4, anchor="end"),
        _text(f"{min(steps):,}", left, height - 8, anchor="start"),
        _text("update", (left + width) / 2, height - 8, anchor="middle"),
        _text(f"{max(steps):,}", width - 8, height - 8, anchor="end"),
    ]
    drawing = element("svg", join(*parts), viewBox=f"0 0 {width:.0f} {height:.0f}", role="img", aria_label=name)
    return element("figure", element("figcaption", element("b", name)), drawing, class_="drawing")
