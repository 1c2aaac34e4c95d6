"""The `estimator` section of a recipe."""

from typing import Any

from pydantic import Field

from osler.structures.section import Section


class EstimatorSection(Section):
    """A scikit-learn estimator that takes over from the network's last layer, as R-CNN's support vectors did."""

    name: str = Field(
        "none", description="none, svm, logistic, neighbours, forest, boosting: fitted on the network's features"
    )
    options: dict[str, Any] = Field({}, description="further arguments of the scikit-learn estimator, e.g. {C: 10}")
