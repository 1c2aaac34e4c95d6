"""The `data` section of a recipe."""

from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt
from pydantic import Field

from osler.imaging.recipe import AugmentSection
from osler.structures.section import Section

Share = Annotated[float, Ge(0), Lt(1)]


class DataSection(Section):
    """Which pictures and labels, how they are split, read and augmented."""

    path: str = Field("digits", description="a folder, a CSV file, or the name of a known set")
    format: Literal["auto", "folders", "csv", "idx", "cifar", "named", "coco", "voc", "yolo"] = Field(
        "auto", description="auto: recognised by what lies there"
    )
    image_column: str = Field("auto", description="CSV: the column of picture paths; auto: the first")
    label_columns: tuple[str, ...] = Field((), description="CSV: the columns of labels or numbers; (): all others")
    labels: Literal["auto", "class", "labels", "numbers", "objects"] = Field(
        "auto",
        description="one class a picture, several labels a picture, numbers, or objects with boxes; auto: by what "
        "the labels are",
    )
    pictures: str = Field("auto", description="COCO: the folder of the pictures; auto: looked for near the annotations")
    validation: Share = Field(
        0.15, description="share of the training pictures held out where no validation set is given"
    )
    test: Share = Field(0.0, description="share held out for the test where no test set is given")
    folds: Annotated[int, Ge(0)] = Field(0, description="k-fold cross-validation: k; 0: one split")
    fold: Annotated[int, Ge(0)] = Field(0, description="which of the folds validates")
    limit: Annotated[int, Ge(0)] = Field(
        0, description="use so many training pictures only (stratified, by seed); 0: all"
    )
    unreadable: Annotated[float, Ge(0), Le(1)] = Field(
        0.1, description="share of unreadable pictures from which the run stops"
    )
    sampler: Literal["shuffle", "balanced"] = Field(
        "shuffle", description="balanced: each class drawn equally often (with replacement)"
    )
    augment: AugmentSection = Field(AugmentSection(), description="random changes to training pictures")
