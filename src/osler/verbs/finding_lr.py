"""`osler train --find-lr`: the learning-rate range test on a person's own data and network, nothing kept."""

from dataclasses import replace
from pathlib import Path

from osler.training.range_test import RangeTest, range_test
from osler.training.rate_trial import RateTrial
from osler.verbs.preparing import Wishes, prepare


def find_lr(
    wishes: Wishes, *, low: float = 1e-6, high: float = 10.0, steps: int = 100, plot: str | Path | None = None
) -> RangeTest:
    """Raises the learning rate from `low` to `high`, an update each, and says where the loss falls fastest (Smith 2017).

    All rates are meant as `train.lr` is: the suggestion can be written into the recipe as it stands.

    Args:
        wishes: what the person said, as for `train`.
        low: first learning rate.
        high: last one; the test ends before it when the loss diverges.
        steps: updates.
        plot: a PNG or SVG file to draw loss against learning rate into; None: no drawing.
    """
    trial = RateTrial(prepare(wishes).training)
    result = range_test(trial, low=low, high=high, steps=steps)
    result = replace(result, reason=result.reason + trial.remark(result.suggestion))
    if plot is not None:
        from osler.reports.range_test import save_range_test

        save_range_test(result, Path(plot))
    return result
