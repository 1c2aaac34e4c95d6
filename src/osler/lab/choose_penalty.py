"""Which penalty for a linear model: L1, L2 or both, from the shape of the data and what is wanted of the weights."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

Penalty = Literal["l1", "l2", "elastic net"]

COLLINEAR = 0.5  # mean of each column's largest absolute correlation with another, from which columns come in groups


@dataclass(frozen=True, slots=True)
class Choice:
    """A penalty and why."""

    penalty: Penalty
    reason: str


def choose_penalty(*, samples: int, features: int, collinearity: float, sparse: bool) -> Choice:
    """The penalty to try first.

    Args:
        samples: rows.
        features: columns.
        collinearity: how much columns repeat each other, 0 to 1, as `collinearity` measures it.
        sparse: whether few of the columns are believed (or wanted) to matter.

    Sources: Tibshirani 1996, section 7 (L1 wins with few large effects, L2 with many small ones); Zou and Hastie
    2005, section 1 (L1 keeps at most n columns, and one of a correlated group by chance; the elastic net keeps the
    group).

    Raises:
        ValueError: a count is not positive or the collinearity is not in [0, 1].
    """
    if samples < 1 or features < 1 or not 0 <= collinearity <= 1:
        raise ValueError("choose_penalty needs positive counts and a collinearity from 0 to 1.")
    grouped = collinearity >= COLLINEAR
    shape = f"{features} columns, {samples} rows, collinearity {collinearity:.2f}"
    if not sparse:
        wild = "weights of columns that repeat each other vary wildly unless they are shrunk together"
        many = "every column may matter, so none should be thrown out; shrinking lowers the variance"
        why = wild if grouped else many
        return Choice("l2", f"{shape}: {why}.")
    if grouped:
        why = "L1 would keep one column of a correlated group by chance; L2 beside it keeps the group"
        return Choice("elastic net", f"{shape}: {why}.")
    return Choice("l1", f"{shape}: few columns matter and they can be told apart, so the others may be exactly zero.")


def collinearity(x: Float[np.ndarray, "samples features"]) -> float:
    """The mean over columns of the largest absolute correlation with another column: 0 for one column."""
    if x.shape[1] < 2:
        return 0.0
    correlations = np.abs(np.corrcoef(x, rowvar=False))
    np.fill_diagonal(correlations, 0)
    return float(correlations.max(0).mean())


@dataclass(frozen=True, slots=True)
class Planted:
    """A case whose truth is known, what was chosen for it, and each penalty's error on rows held out."""

    name: str
    choice: Choice
    errors: dict[Penalty, float]  # mean squared error in cross-validation, over several draws


def planted_cases(*, draws: int = 3, seed: int = 0) -> list[Planted]:
    """Three truths, one for each penalty: few effects, many on collinear columns, few groups of alike columns."""
    makers = {
        "few effects": (_few, True),
        "many effects, collinear": (_many, False),
        "few groups of alike columns": (_groups, True),
    }
    cases = []
    for name, (make, sparse) in makers.items():
        sets = [make(np.random.default_rng((seed, d))) for d in range(draws)]
        x = sets[0][0]
        choice = choose_penalty(samples=len(x), features=x.shape[1], collinearity=collinearity(x), sparse=sparse)
        each = [cross_validated(x, y) for x, y in sets]
        cases.append(Planted(name, choice, {p: float(np.mean([e[p] for e in each])) for p in each[0]}))
    return cases


Drawn = tuple[Float[np.ndarray, "samples features"], Float[np.ndarray, " samples"]]


def _few(rng: np.random.Generator) -> Drawn:
    x = rng.standard_normal((80, 60))
    return x, 3 * x[:, :3].sum(1) + rng.standard_normal(80)


def _many(rng: np.random.Generator) -> Drawn:
    x = 0.5 * rng.standard_normal((60, 60)) + rng.standard_normal((60, 1))
    return x, x @ rng.standard_normal(60) * 0.5 + rng.standard_normal(60)


def _groups(rng: np.random.Generator) -> Drawn:
    hidden = rng.standard_normal((60, 20))
    x = np.repeat(hidden, 10, axis=1) + rng.standard_normal((60, 200))
    return x, x[:, :30].sum(1) + 3 * rng.standard_normal(60)


def cross_validated(
    x: Float[np.ndarray, "samples features"], y: Float[np.ndarray, " samples"], *, folds: int = 4
) -> dict[Penalty, float]:
    """Each penalty's mean squared error on held-out folds; its strength is chosen inside the training folds."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import ElasticNetCV, LassoCV, RidgeCV
    from sklearn.model_selection import KFold, cross_val_score

    strengths = np.geomspace(2e-2, 3.0, 8)
    models = {
        "l1": LassoCV(alphas=strengths, cv=3, max_iter=2000),
        "l2": RidgeCV(alphas=np.geomspace(1e-1, 1e4, 24)),
        "elastic net": ElasticNetCV(alphas=strengths, l1_ratio=[0.15, 0.4, 0.7], cv=3, max_iter=2000),
    }
    errors: dict[Penalty, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name in ("l1", "l2", "elastic net"):
            scores = cross_val_score(models[name], x, y, cv=KFold(folds), scoring="neg_mean_squared_error")
            errors[name] = -float(scores.mean())
    return errors
