"""How far predicted numbers lie from the true ones, one value for each output (a column)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Numbers = Float[np.ndarray, "samples outputs"]


@dataclass(frozen=True, slots=True)
class RegressionScores:
    """Predicted and true numbers in the person's units, a row per sample, and what they give."""

    predictions: Numbers
    targets: Numbers
    names: tuple[str, ...]

    def values(self) -> dict[str, float]:
        """What the loop shows: mae, rmse and r2, means over the outputs."""
        per_output = {"mae": self.mae(), "rmse": self.rmse(), "r2": self.r2()}
        return {name: float(values.mean()) for name, values in per_output.items()}

    def per_output(self) -> list[dict[str, float | str]]:
        """A row for each output: its name, mae, rmse, r2 and the median absolute error."""
        columns = zip(self.names, self.mae(), self.rmse(), self.r2(), self.median_absolute_error(), strict=True)
        keys = ("mae", "rmse", "r2", "median_absolute_error")
        return [{"name": name} | dict(zip(keys, map(float, row), strict=True)) for name, *row in columns]

    def mae(self) -> Float[np.ndarray, " outputs"]:
        """Mean absolute error, in the output's units."""
        return np.abs(self._errors()).mean(axis=0)

    def rmse(self) -> Float[np.ndarray, " outputs"]:
        """Root of the mean squared error, in the output's units: more than `mae` when few are far off."""
        return np.sqrt(np.square(self._errors()).mean(axis=0))

    def median_absolute_error(self) -> Float[np.ndarray, " outputs"]:
        """Median absolute error, in the output's units: outliers do not move it."""
        return np.median(np.abs(self._errors()), axis=0)

    def r2(self) -> Float[np.ndarray, " outputs"]:
        """Share of the variance explained: 1 perfect, 0 as good as the mean of these targets, negative worse.

        Where the targets do not vary: 1 when they are met exactly, otherwise 0, as in scikit-learn.
        """
        truth = self.targets.astype(np.float64)
        residual = np.square(self._errors()).sum(axis=0)
        total = np.square(truth - truth.mean(axis=0)).sum(axis=0)
        constant = np.where(residual == 0, 1.0, 0.0)
        return np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), constant)

    def _errors(self) -> Numbers:
        return self.predictions.astype(np.float64) - self.targets
