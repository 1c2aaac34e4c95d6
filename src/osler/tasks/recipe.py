"""The `task` section of a recipe."""

from typing import Annotated, Literal

from annotated_types import Ge, Lt
from pydantic import Field

from osler.structures.section import Section


class TaskSection(Section):
    """What the network is for, and what it minimises."""

    name: str = Field(
        "auto", description="classification, multilabel, regression, detection; auto: by the labels that the data has"
    )
    loss: str = Field("auto", description="a loss by name, or file.py:function; auto: the task's own")
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = Field(
        0.0, description="share of the target spread over all classes"
    )
    class_weights: Literal["none", "balanced"] | tuple[float, ...] = Field(
        "none", description="weight of each class in the loss; balanced: inverse to its frequency"
    )
    threshold: Annotated[float, Ge(0), Lt(1)] = Field(
        0.5,
        description="multilabel: probability from which a label is given; detection: score from which an object is shown",
    )
