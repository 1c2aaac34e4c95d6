"""Writes docs/remedies.md, the textbooks' remedies each tried alone on a sick network, by training them (minutes)."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from matplotlib import rc_context
from matplotlib.figure import Figure

from osler.lab import (
    explosion_remedies,
    overfitting_remedies,
    tuning_report,
    underfitting_remedies,
    vanishing_remedies,
)
from osler.lab.convergence_speed import SpeedRow, convergence_table
from osler.lab.remedy_table import CLEAR, RemedyTable, Trial

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "remedies.md"
IMAGES = ROOT / "docs" / "images"
SEEDS = (0, 1, 2)
BLUE, ORANGE = "#0072B2", "#D55E00"  # of Okabe and Ito's palette, told apart by every kind of sight

HEAD = f"""# Remedies, each tried alone

Written by `python tools/remedy_tables.py` (minutes on one core; seeds 0, 1 and 2), from the experiments in
`src/osler/lab/`. Every remedy that the textbooks' lists name stands here, also where it does nothing. Each is applied
alone to the same sick network, from the same start where it leaves the network its shape, with the same data and the
same order of samples.

A remedy **helps** when it adds at least {CLEAR * 100:.0f} points of held-out accuracy in the mean and something for
every seed, helps a little when it adds less than that for every seed, and harms when it takes as much away for every
seed. All else has no clear effect. Three seeds and small networks show what a remedy does, not how much it will do
elsewhere: the sick networks and most settings were fixed by trials with these seeds, so that the fault is plain to see.
"""
RATIO = (
    "The gradient's ratio is that of the first layer's weights over the last hidden layer's (root mean squares), before "
    "the first update: 1 is healthy. It is the median over the seeds."
)
VANISHING = f"""## Vanishing gradients

Eight layers of 64 sigmoid units read 600 handwritten digits; gradient descent with momentum, 20 epochs. {RATIO}
Accuracies are means over the seeds, with half the distance between the seeds' extremes.
"""
RECURRENT = """\
An LSTM belongs into a recurrent network. This one reads sixty steps and must tell what stood in the first (four
classes, Adam, 30 epochs). Its ratio is that of the gradient at the first step's input over that at the last step's.
"""
EXPLODING = """## Exploding gradients

Twelve layers of 64 tanh units whose weights start four times too large; 600 digits, gradient descent with momentum,
600 updates. Tanh keeps the activations bounded, so the gradient alone explodes: towards the input, hence a ratio far
above 1. Of remedies with several settings the best one stands here. Clipping and penalties cannot change a start, and
its ratio stays.
"""
RECURRENT_EXPLODING = """\
A linear recurrent network learns the mean of thirty numbers; its matrix stretches by 1.1 a step. The error is a share
of what the best constant leaves: below 1 something was learnt. Here clipping is at home.
"""
OVERFITTING = f"""## Over-fitting

{overfitting_remedies.SAMPLES} digits of which a fifth have a wrong label, and a network of three hidden layers that
learns them by heart. Training accuracy is against the labels as given: what learns only the truth stays near 80 %.
Held out are {overfitting_remedies.TEST:,} digits with right labels, so a gap can be negative. More samples and
multi-task learning use {overfitting_remedies.OTHERS} further digits.
"""
UNDERFITTING = """## Under-fitting

Training errors (share of training samples answered wrong, means over the seeds) before and after. Group 1 makes the
model larger, group 2 frees it, group 3 gives it other features. Each column is one planted under-fit, and bold is a
cure: at least half of the error gone, for every seed. A network of two units is cured by group 1, a penalty that is
too strong by group 2, a missing feature by group 3; what else helps, helps by the way.
"""
TUNING = """## When tuning goes badly: six questions

Each question is answered by changing that one thing and training again. `from 16 to 8` are points of gap, training
minus held-out accuracy.
"""
OVERFITTED = """### An over-fitted run

The small set of the section above, three hidden layers, Adam.
"""
ILL = """### A run with plain gradient descent on ill-conditioned data

Twenty columns whose spreads lie between 1 and 0.01, all of which matter; 30 epochs at 0.1.
"""
FASTER = """## Faster convergence

Epochs until 90 % of held-out digits are right, the median over the seeds; eight hidden layers, gradient descent at
0.01. The bottleneck stands in residual blocks and is compared with them: it saves multiply-adds, not epochs.
"""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def percent(share: float) -> str:
    """One digit after the point, as the spread over seeds allows no more."""
    return f"{100 * share:.1f}"


def size(value: float) -> str:
    """A figure that may differ by orders of magnitude."""
    return "no number" if not math.isfinite(value) else f"{value:.2g}" if value < 1000 else f"{value:.1e}"


def accuracy(trial: Trial, figure: str = "test") -> str:
    """Mean and half of the range; said where some seeds ended in no number."""
    lost = sum(not o.finite for o in trial.outcomes)
    if lost == len(trial.outcomes):
        return "no number"
    text = f"{percent(trial.mean(figure))} ± {percent(trial.spread(figure))}"
    return f"{text} ({lost} of {len(trial.outcomes)}: no number)" if lost else text


def depth_rows(found: RemedyTable, *, gradients: bool = False) -> str:
    """Ratio, gap and accuracy of each remedy."""
    head = ["remedy", "how", "gradient's ratio", "training, %", "held out, %", "gap, points", "verdict"]
    rows = []
    for trial in (found.sick, *found.trials):
        cells = [trial.remedy, trial.how, size(trial.middle("ratio")), accuracy(trial, "train"), accuracy(trial)]
        known = all(o.finite for o in trial.outcomes)
        cells += [
            percent(trial.mean("gap")) if known else "",
            "" if trial is found.sick else found.verdict(trial.remedy),
        ]
        rows.append(cells[:3] + [size(trial.middle("gradient"))] * gradients + cells[3:])
    return table(head[:3] + ["its norm"] * gradients + head[3:], rows)


def overfitting_rows(found: RemedyTable) -> str:
    """Accuracies, gap and weights of each remedy."""
    head = ["remedy", "how", "training, %", "held out, %", "gap, points", "weights' norm", "verdict"]
    rows = []
    for trial in (found.sick, *found.trials):
        cells = [trial.remedy, trial.how or "as it is", accuracy(trial, "train"), accuracy(trial)]
        cells += [percent(trial.mean("gap")), size(trial.mean("weights"))]
        rows.append([*cells, "" if trial is found.sick else found.verdict(trial.remedy)])
    return table(head, rows)


def verdicts(found: RemedyTable) -> str:
    """Which remedies did what, in a sentence."""
    kinds: dict[str, list[str]] = {}
    for trial in found.trials:
        kinds.setdefault(found.verdict(trial.remedy), []).append(trial.remedy)
    order = [k for k in ("helps", "helps a little", "no clear effect", "harms") if k in kinds]
    return "\n".join(f"- {k}: {', '.join(kinds[k])}." for k in order) + "\n"


def recurrent_rows(rows: Sequence[explosion_remedies.Recurred]) -> str:
    """The recurrent network that explodes."""
    cells = [[r.remedy, r.how, ", ".join(size(e) for e in r.errors), f"{r.diverged} of {len(r.errors)}"] for r in rows]
    return table(["remedy", "how", "error, by seed", "diverged"], cells)


def underfitting_rows(rows: Sequence[underfitting_remedies.Underfit]) -> str:
    """Remedies down, planted under-fits across."""
    planted = list(dict.fromkeys(r.planted for r in rows))
    lines = [["none", "", *(percent(next(r for r in rows if r.planted == p).means[0]) for p in planted)]]
    for name in dict.fromkeys(r.remedy for r in rows):
        here = [next(r for r in rows if (r.remedy, r.planted) == (name, p)) for p in planted]
        after = [percent(r.means[1]) for r in here]
        lines.append([name, here[0].group, *(f"**{a}**" if r.cures else a for a, r in zip(after, here, strict=True))])
    return table(["remedy", "group", *(f"{p}, %" for p in planted)], lines)


def tuning_rows(items: Sequence[tuning_report.Item], target: float) -> str:
    """The six questions and what their answers brought."""

    def epochs(trained: Sequence[tuning_report.Trained]) -> str:
        return ", ".join("never" if t.epochs_to is None else str(t.epochs_to) for t in trained)

    rows = []
    for item in items:
        (before, after), gaps = item.accuracies(), item.gaps()
        same = item.before == item.after
        brought = "as it is" if same else f"{percent(before)} to {percent(after)}"
        gap = "" if same else f"from {percent(gaps[0])} to {percent(gaps[1])}"
        rows.append([item.question, item.answer, brought, gap, epochs(item.after), "" if same else item.verdict])
    return table(
        ["question", "answer tried", "held out, %", "gap, points", f"epochs to {target:.0%}, by seed", "verdict"], rows
    )


def speed_rows(rows: Sequence[SpeedRow]) -> str:
    """Epochs to the target."""

    def epochs(value: int | None) -> str:
        return "never" if value is None else str(value)

    cells = [
        [
            *(r.remedy, epochs(r.without), epochs(r.with_it)),
            *(f"{count:,}" for count in (r.multiply_adds_without, r.multiply_adds_with)),
            "faster" if r.faster else "not faster",
        ]
        for r in rows
    ]
    return table(["remedy", "epochs without", "with", "multiply-adds without", "with", "verdict"], cells)


def draw(found: RemedyTable, name: str, figures: Sequence[tuple[str, str, bool]], title: str) -> str:
    """A dot for each seed, a panel for each figure (its name, the axis' name, logarithmic or not); the Markdown for it."""
    trials = [found.sick, *sorted(found.trials, key=lambda t: t.mean(figures[-1][0]))]
    with rc_context({"svg.hashsalt": name, "svg.fonttype": "none", "font.size": 9}):
        page = Figure(figsize=(9, 0.6 + 0.27 * len(trials)), layout="constrained")
        panels = page.subplots(1, len(figures), sharey=True)
        for panel, (figure, axis, log) in zip(panels, figures, strict=True):
            scale = 1 if log else 100
            for row, trial in enumerate(trials):
                sick = trial is found.sick
                values = [scale * float(getattr(o, figure)) for o in trial.outcomes]
                style = {"color": ORANGE if sick else BLUE, "marker": "s" if sick else "o"}
                panel.plot(values, [row] * len(values), linestyle="none", markersize=5, alpha=0.8, **style)
            middle = scale * (found.sick.middle(figure) if log else found.sick.mean(figure))
            panel.axvline(middle, color=ORANGE, linewidth=1, linestyle="--")
            panel.set(xlabel=axis, xscale="log" if log else "linear")
            panel.grid(axis="both", color="0.9", linewidth=0.6)
            panel.set_axisbelow(True)
        panels[0].set_yticks(range(len(trials)), [t.remedy for t in trials])
        page.suptitle(title, fontsize=10)
        page.savefig(IMAGES / f"{name}.svg", metadata={"Date": None})
    return f"![{title}](images/{name}.svg)\n"


def vanishing() -> list[str]:
    """The section on vanishing gradients."""
    found = vanishing_remedies.vanishing_table(seeds=SEEDS)
    picture = draw(
        found,
        "remedies_vanishing",
        [("ratio", "gradient, first layer over last (log scale)", True), ("test", "held-out accuracy, %", False)],
        "Vanishing gradients: each remedy alone (dots: seeds; squares and dashes: no remedy)",
    )
    through_time = vanishing_remedies.recurrent_table(seeds=SEEDS)
    return [VANISHING, depth_rows(found), verdicts(found), picture, RECURRENT, depth_rows(through_time)]


def exploding() -> list[str]:
    """The section on exploding gradients."""
    found = explosion_remedies.explosion_table(seeds=SEEDS)
    rows = recurrent_rows(explosion_remedies.recurrent_explosion(seeds=SEEDS))
    return [EXPLODING, depth_rows(found, gradients=True), verdicts(found), RECURRENT_EXPLODING, rows]


def overfitting() -> list[str]:
    """The section on over-fitting."""
    found = overfitting_remedies.overfitting_table(seeds=SEEDS)
    picture = draw(
        found,
        "remedies_overfitting",
        [("gap", "gap, training minus held out, points", False), ("test", "held-out accuracy, %", False)],
        "Over-fitting: each remedy alone (dots: seeds; squares and dashes: no remedy)",
    )
    return [OVERFITTING, overfitting_rows(found), verdicts(found), picture]


def underfitting() -> list[str]:
    """The section on under-fitting."""
    return [UNDERFITTING, underfitting_rows(underfitting_remedies.underfitting_table(seeds=SEEDS))]


def tuning() -> list[str]:
    """The section on the six questions."""
    over = tuning_report.Setting(widths=overfitting_remedies.WIDTHS, optimizer="adam", rate=1e-3, epochs=60)
    first = tuning_report.tuning_report(over, lambda k: overfitting_remedies.small_set(k).few, seeds=SEEDS, target=0.75)
    second = tuning_report.tuning_report(
        tuning_report.Setting(), tuning_report.ill_conditioned, seeds=SEEDS, target=0.6
    )
    return [TUNING, OVERFITTED, tuning_rows(first, 0.75), ILL, tuning_rows(second, 0.6)]


def faster() -> list[str]:
    """The section on convergence."""
    return [FASTER, speed_rows(convergence_table(seeds=SEEDS))]


SECTIONS: tuple[Callable[[], list[str]], ...] = (vanishing, exploding, overfitting, underfitting, tuning, faster)


def main() -> None:
    """Runs all experiments on one thread, and writes the page and its pictures."""
    torch.set_num_threads(1)
    parts = [HEAD]
    for section in SECTIONS:
        begun = time.process_time()
        parts += section()
        print(f"{section.__name__}: {time.process_time() - begun:.0f} s of a core", flush=True)
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    print(f"Written: docs/{PAGE.name}")


if __name__ == "__main__":
    main()
