"""Each figure draws what it is given, names its axes, and stays legible from two classes to a hundred."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import report_content as contents
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from osler.metrics.calibration import reliability
from osler.metrics.classification import ClassificationScores
from osler.metrics.counts import ConfusionMatrix, confusion_matrix
from osler.metrics.curves import Curve
from osler.reports.calibration import reliability_figure
from osler.reports.confusion import confusion_figure, levels_of
from osler.reports.content import Picture
from osler.reports.curves import learning_rate_curve, loss_curve, metric_curves, series, speed_curve
from osler.reports.images import entitle
from osler.reports.picture_grid import caption_lines, picture_grid
from osler.reports.pr_roc import precision_recall_figure, read, roc_figure
from osler.reports.range_test import range_test_figure, save_range_test
from osler.reports.regression import SHOWN, residual_figure, scatter_figure
from osler.reports.theme import DARK, LEVELS, LIGHT, shorten
from osler.structures.errors import RecipeError
from osler.training.range_test import RangeTest

HISTORY = contents.history(20, {"accuracy": 0.95, "f1": 0.94})


def scores(classes: int = 10, samples: int = 800) -> ClassificationScores:
    outcome = contents.class_outcome(classes, samples)
    return ClassificationScores(outcome.predictions, outcome.targets, tuple(f"class {i}" for i in range(classes)))


def by_name(curve_of: Callable[[int], Curve]) -> dict[str, Curve]:
    return {f"class {i}": curve_of(i) for i in range(10)}


def range_found() -> RangeTest:
    rates = np.geomspace(1e-6, 10, 60)
    smoothed = np.where(rates < 1, 2 - np.log10(rates / 1e-6) / 6, 1e6 * rates)
    return RangeTest(rates, smoothed + 0.01, smoothed, 0.01, "the steepest fall")


TRUE = np.linspace(0, 10, 50)
FIGURES: dict[str, Callable[[], Figure]] = {
    "loss": lambda: loss_curve(HISTORY, best_epoch=17),
    "metrics": lambda: metric_curves(HISTORY, ["accuracy", "f1"]),
    "learning rate": lambda: learning_rate_curve(HISTORY),
    "speed": lambda: speed_curve(HISTORY),
    "confusion": lambda: confusion_figure(scores().confusion),
    "precision-recall": lambda: precision_recall_figure(by_name(scores().precision_recall)),
    "roc": lambda: roc_figure(by_name(scores().roc)),
    "scatter": lambda: scatter_figure(TRUE, TRUE + 1, "age (years)"),
    "range test": lambda: range_test_figure(range_found()),
    "reliability": lambda: reliability_figure(scores().reliability()),
    "residuals": lambda: residual_figure(TRUE, TRUE + 1, "age (years)"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_axes_are_named(name: str) -> None:
    axes = [a for a in FIGURES[name]().axes if a.get_label() != "<colorbar>"]
    shared = {"reliability", "residuals"}  # two axes above or beside one another name the axis that they share once
    assert len(axes) == (2 if name in shared else 1)
    assert all(a.get_xlabel() or a.get_ylabel() for a in axes)
    assert axes[0].get_ylabel()
    assert axes[-1].get_xlabel()


@pytest.mark.craft("WF02")
def test_curves_draw_the_history() -> None:
    lines = {str(line.get_label()): line for line in loss_curve(HISTORY, best_epoch=17).axes[0].lines}
    for label, key in (("training", "train.loss"), ("validation", "validation.loss")):
        np.testing.assert_array_equal(lines[label].get_xdata(), [r["epoch"] for r in HISTORY])
        np.testing.assert_array_equal(lines[label].get_ydata(), [r[key] for r in HISTORY])
    assert lines["training"].get_linestyle() != lines["validation"].get_linestyle(), "told apart without colour too"
    assert list(lines["best epoch"].get_xdata()) == [17, 17]
    accuracy = metric_curves(HISTORY, ["accuracy", "f1"]).axes[0].lines[0]
    np.testing.assert_allclose(accuracy.get_ydata(), [100 * r["validation.accuracy"] for r in HISTORY])


def test_epochs_in_which_nothing_was_measured_are_left_out() -> None:
    rows = [{"epoch": 1, "a": 1.0}, {"epoch": 2}, {"epoch": 3, "a": float("nan")}, {"epoch": 4, "a": 2.0}]
    epochs, values = series(rows, "a")
    assert (epochs.tolist(), values.tolist()) == ([1, 4], [1, 2])


def test_a_single_epoch_is_a_visible_point() -> None:
    line = loss_curve(HISTORY[:1]).axes[0].lines[0]
    assert line.get_marker() == "o"


def test_learning_rate_axis_is_logarithmic_for_steps_over_decades_only() -> None:
    steps = [{"epoch": i, "lr": 0.1 * 0.1 ** (i // 10)} for i in range(30)]
    assert learning_rate_curve(steps).axes[0].get_yscale() == "log"
    assert learning_rate_curve(HISTORY).axes[0].get_yscale() == "linear"


@pytest.mark.craft("WF02")
@pytest.mark.parametrize("classes", [2, 10, 100])
def test_confusion_matrix_paints_each_cell_by_its_share(classes: int) -> None:
    matrix = scores(classes, 20 * classes).confusion
    axes = confusion_figure(matrix).axes[0]
    painted = np.full(matrix.counts.shape, -1)
    for patch in axes.patches:
        level = LEVELS.index("#" + "".join(f"{round(255 * c):02x}" for c in patch.get_facecolor()[:3]))
        centres = patch.get_path().vertices.reshape(-1, 5, 2)[:, :4].mean(axis=1).round().astype(int)
        painted[centres[:, 1], centres[:, 0]] = level
    np.testing.assert_array_equal(painted, levels_of(matrix.counts))
    assert axes.yaxis_inverted(), "the first true class is the top row"
    shown = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in axes.texts}
    cells = np.argwhere(matrix.counts) if classes <= 20 else []
    assert shown == {(r, c): f"{matrix.counts[r, c]:,}" for r, c in cells}
    named = [t.get_text() for t in axes.get_yticklabels()]
    assert named == list(matrix.names) if classes <= 30 else len(named) <= 12


def test_levels_are_of_the_row_and_rise_with_the_share() -> None:
    counts = np.array([[1000, 1, 0], [0, 0, 0], [10, 30, 60]])
    assert levels_of(counts).tolist() == [[9, 0, -1], [-1, -1, -1], [3, 5, 7]]


def test_a_matrix_without_a_picture_of_a_class_is_drawn() -> None:
    figure = confusion_figure(confusion_matrix(np.array([0, 0]), np.array([0, 1]), ("a", "b", "c")))
    assert len(figure.axes[0].patches) >= 1
    assert confusion_figure(ConfusionMatrix(np.zeros((2, 2), dtype=int), ("a", "b"))).axes[0].patches[:] == []


def test_the_weakest_classes_are_named_and_the_mean_of_all_drawn() -> None:
    found = scores()
    curves = {n: found.precision_recall(i) for i, n in enumerate(found.names)}
    labels = [t.get_text() for t in precision_recall_figure(curves).axes[0].get_legend().get_texts()]
    weakest = sorted(curves, key=lambda n: curves[n].area)[:3]
    mean = np.mean([c.area for c in curves.values()])
    assert labels == [*(f"{n} {curves[n].area:.3f}" for n in weakest), f"mean of 10 {mean:.3f}"]


def test_precision_between_two_recalls_is_that_of_the_threshold_which_reaches_it() -> None:
    curve = Curve(np.array([0, 0.5, 1]), np.array([1, 0.8, 0.4]), np.array([np.inf, 0.7, 0.2]), 0.6)
    assert read(curve, np.array([0, 0.3, 0.5, 0.51, 1]), step=True).tolist() == [1, 0.8, 0.8, 0.4, 0.4]
    assert read(curve, np.array([0.75]), step=False).tolist() == pytest.approx([0.6])


def test_reliability_points_stand_where_the_bins_are() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, 500)
    found = reliability(confidence, rng.random(500) < confidence)
    points = reliability_figure(found).axes[0].collections[-1].get_offsets()
    filled = found.count > 0
    np.testing.assert_allclose(points, 100 * np.stack([found.confidence[filled], found.accuracy[filled]], axis=1))


def test_large_scatter_plots_are_drawn_by_lot_the_same_each_time() -> None:
    true = np.linspace(0, 1, 5 * SHOWN)
    first, again = (scatter_figure(true, true**2, "x").axes[0].collections[0].get_offsets() for _ in range(2))
    assert len(first) == SHOWN
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first[:, 1], first[:, 0] ** 2)


def test_residuals_are_predicted_minus_true() -> None:
    points = residual_figure(np.array([1.0, 2]), np.array([1.5, 1]), "x").axes[0].collections[0].get_offsets()
    assert points.tolist() == [[1.5, 0.5], [1, -1]]


def test_a_network_that_always_says_the_same_is_drawn_too() -> None:
    constant = np.full(5, 3.0)
    for predicted in (constant, constant + 1):
        figure = residual_figure(constant, predicted, "x")
        assert sum(patch.get_width() for patch in figure.axes[1].patches) == 5
        assert scatter_figure(constant, predicted, "x").axes[0].collections


def test_range_test_marks_the_suggestion_on_a_logarithmic_axis() -> None:
    found = range_found()
    axes = range_test_figure(found).axes[0]
    assert axes.get_xscale() == "log"
    mark = next(line for line in axes.lines if "suggested" in str(line.get_label()))
    assert mark.get_xdata()[0] == found.suggestion
    expected = np.interp(np.log(found.suggestion), np.log(found.lrs), found.smoothed)
    assert mark.get_ydata()[0] == pytest.approx(expected)
    assert axes.get_ylim()[1] < 4, "the explosion at the end must not flatten the descent"


@pytest.mark.parametrize(("ending", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_range_test_is_saved_as_what_its_name_ends_in(tmp_path: Path, ending: str, begins: bytes) -> None:
    save_range_test(range_found(), tmp_path / f"lr.{ending}")
    assert (tmp_path / f"lr.{ending}").read_bytes().startswith(begins)


def test_a_figure_of_no_known_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"\.png, \.svg, \.pdf; given 'lr.txt'"):
        save_range_test(range_found(), tmp_path / "lr.txt")


def test_a_title_adds_a_line_above_and_moves_nothing_below_it() -> None:
    figure = confusion_figure(scores().confusion)
    figure.draw_without_rendering()
    inches = [figure.get_figheight() * np.array(a.get_position(original=True).bounds[1::2]) for a in figure.axes]
    before = figure.get_figheight()
    entitle(figure, "Confusion matrix")
    after = [figure.get_figheight() * np.array(a.get_position(original=True).bounds[1::2]) for a in figure.axes]
    np.testing.assert_allclose(after, inches)
    assert figure.get_figheight() > before
    title = figure.texts[-1]
    assert title.get_text() == "Confusion matrix"
    assert title.get_position()[1] * figure.get_figheight() > before


def test_captions_say_the_answer_the_truth_and_the_confidence() -> None:
    image = contents.picture(0)
    assert caption_lines(Picture(image, true="cat", predicted="dog", probability=0.912)) == [
        "dog",
        "truly cat",
        "91.2\u202f% sure",
    ]
    assert caption_lines(Picture(image, true="cat", predicted="cat")) == ["cat"]
    assert caption_lines(Picture(image, caption="a cat", true="x", predicted="y")) == ["a cat"]


def test_grid_shows_every_picture_grey_or_coloured() -> None:
    grey = Picture(np.full((8, 8), 200, np.uint8), caption="grey")
    figure = picture_grid([grey, *(Picture(contents.picture(i), caption=str(i)) for i in range(6))], columns=4)
    axes = figure.axes[0]
    assert len(axes.images) == 7
    assert axes.images[0].get_clim() == (0, 255)
    assert [t.get_text() for t in axes.texts] == ["grey", *"012345"]
    places = {tuple(np.round(i.get_extent(), 3)) for i in axes.images}
    assert len(places) == 7, "no picture hides another"


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.1)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(a: str, b: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.1)."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_colour_stands_off_its_ground(palette: dict[str, str]) -> None:
    assert contrast(palette["ink"], palette["surface"]) > 12
    assert contrast(palette["muted"], palette["surface"]) > 4.5
    for i in range(1, 5):
        assert contrast(palette[f"series-{i}"], palette["surface"]) >= 3
    for i in range(10):
        ink = palette["ink"] if i < 5 else palette["surface"]
        assert contrast(ink, palette[f"level-{i}"]) > 4
    lightness = [luminance(palette[f"level-{i}"]) for i in range(10)]
    assert lightness == sorted(lightness, reverse=palette is LIGHT)
    assert len(set(palette.values())) == len(palette), "a colour stands for one variable only"


def test_long_names_keep_both_ends() -> None:
    assert shorten("short") == "short"
    assert (
        shorten("n01440764 tench, Tinca tinca", 14) == "n014407…tinca"[:7] + "… tinca"
        or len(shorten("x" * 99, 14)) == 14
    )
    assert shorten("a\nb") == "a b"
