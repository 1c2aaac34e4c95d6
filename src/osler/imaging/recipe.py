"""The `augment` section of a recipe: what is done at random to training pictures."""

from typing import Annotated, Any

from annotated_types import Ge, Lt
from pydantic import Field

from osler.structures.section import Section


class AugmentSection(Section):
    """Random changes to training pictures, so that one picture is many."""

    preset: str = Field("auto", description="none, light, standard, strong; auto: by what the pictures are")
    transforms: tuple[dict[str, dict[str, Any]], ...] = Field(
        (),
        description="further augmentations by name with their options, after the preset's: [{rotate: {degrees: 10}}]",
    )
    mixup: Annotated[float, Ge(0)] = Field(0.0, description="alpha of mixup (Zhang et al. 2018); 0: off")
    cutmix: Annotated[float, Ge(0)] = Field(0.0, description="alpha of CutMix (Yun et al. 2019); 0: off")
    pca_noise: Annotated[float, Ge(0)] = Field(
        0.0, description="spread of AlexNet's colour noise, 0.1 as published; 0: off"
    )
    multi_scale: Annotated[float, Ge(0), Lt(1)] = Field(
        0.0, description="objects: each batch at a size within this share of the input's, in steps of 32; 0: off"
    )
