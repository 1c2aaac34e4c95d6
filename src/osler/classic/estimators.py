"""scikit-learn's estimators by name, with the settings that fit a network's features."""

from typing import Any, Literal

from osler.structures.errors import RecipeError
from osler.structures.registry import unknown

Problem = Literal["class", "labels", "numbers"]

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
    kind, defaults = _class_and_defaults(name, problem, seed)
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
