"""scikit-learn's estimators by name, with the settings that fit a network's features."""

from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from osler.structures.errors import RecipeError, TrainingError
from osler.structures.registry import unknown

Problem = Literal["class", "labels", "numbers", "objects"]

NAMES = ("svm", "logistic", "neighbours", "forest", "boosting")


def build_estimator(name: str, problem: Problem, options: dict[str, Any], seed: int) -> Any:
    """A scikit-learn pipeline: features standardised where distances matter, then the estimator.

    For several labels or numbers, one estimator for each output.

    Raises:
        RecipeError: the name or an option is unknown, or the estimator does not do this kind of problem.
    """
    from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if name not in NAMES:
        raise RecipeError(unknown("estimator", name, NAMES))
    if problem == "objects":
        raise RecipeError(
            f"estimator.name={name} learns from one row of features a picture, and objects have one each: leave it out. "
            "model=rcnn has support vectors of its own, on the features of regions."
        )
    kind, defaults = _class_and_defaults(name, problem, seed % 2**32)  # scikit-learn's seeds are unsigned, of 32 bits
    try:
        estimator = kind(**{**defaults, **options})
        estimator._validate_params()  # else it is `fit`, after a whole training, that refuses a value
    except TypeError as error:
        allowed = ", ".join(sorted(kind().get_params()))
        raise RecipeError(f"estimator.options does not fit {kind.__name__}: {error}. Allowed: {allowed}.") from None
    except ValueError as error:
        raise RecipeError(f"estimator.options: {error}") from None
    if problem == "labels":
        estimator = MultiOutputClassifier(estimator)
    if problem == "numbers":
        estimator = MultiOutputRegressor(estimator)
    return make_pipeline(StandardScaler(), estimator)


def fit(estimator: Any, features: Float[np.ndarray, "samples features"], targets: np.ndarray) -> None:
    """Fits a pipeline of `build_estimator` to classes [samples], or labels or numbers [samples, outputs].

    A label that all samples have alike, which most classifiers refuse, is answered by that constant; so is an only class.

    Raises:
        RecipeError: more neighbours are asked for than there are samples.
        TrainingError: scikit-learn cannot learn from these features.
    """
    from sklearn.multioutput import MultiOutputClassifier

    scaler, last = estimator[0], estimator[-1]
    neighbours = getattr(getattr(last, "estimator", last), "n_neighbors", 0)
    if neighbours > len(features):
        raise RecipeError(
            f"estimator.options: n_neighbors={neighbours}, but there are {len(features)} training pictures. Take fewer."
        )
    try:
        scaled = scaler.fit_transform(features)
        if isinstance(last, MultiOutputClassifier):
            last.estimators_ = [_fitted(last.estimator, scaled, label) for label in targets.T]
            last.classes_ = [one.classes_ for one in last.estimators_]
        elif targets.ndim == 1:
            estimator.steps[-1] = (estimator.steps[-1][0], _fitted(last, scaled, targets))
        else:
            last.fit(scaled, targets)
    except ValueError as error:
        raise TrainingError(f"The estimator cannot learn from the network's features: {error}") from None


def _fitted(classifier: Any, features: np.ndarray, classes: np.ndarray) -> Any:
    """A copy of a classifier, fitted; where there is one class only, what always says that class."""
    from sklearn.base import clone
    from sklearn.dummy import DummyClassifier

    several = len(np.unique(classes)) > 1
    return (clone(classifier) if several else DummyClassifier(strategy="most_frequent")).fit(features, classes)


def _class_and_defaults(name: str, problem: Problem, seed: int) -> tuple[Any, dict[str, Any]]:
    """The class for a problem and what we set that scikit-learn would not."""
    from sklearn import ensemble, linear_model, neighbors, svm

    numbers = problem == "numbers"
    choices: dict[str, tuple[Any, dict[str, Any]]] = {
        # A linear machine per class, as R-CNN trained them (Girshick et al. 2014, section 2.3: C = 0.001 on 4096 features).
        "svm": (svm.LinearSVR if numbers else svm.LinearSVC, {"random_state": seed, "max_iter": 10_000}),
        "logistic": (linear_model.Ridge, {}) if numbers else (linear_model.LogisticRegression, {"max_iter": 2_000}),
        "neighbours": (neighbors.KNeighborsRegressor if numbers else neighbors.KNeighborsClassifier, {}),
        "forest": (
            ensemble.RandomForestRegressor if numbers else ensemble.RandomForestClassifier,
            {"random_state": seed, "n_estimators": 300},
        ),
        "boosting": (
            ensemble.HistGradientBoostingRegressor if numbers else ensemble.HistGradientBoostingClassifier,
            {"random_state": seed},
        ),
    }
    return choices[name]
