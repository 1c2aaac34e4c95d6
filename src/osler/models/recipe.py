"""The `model` section of a recipe."""

from typing import Annotated, Any, Literal, Self

from annotated_types import Gt, Le
from pydantic import Field, model_validator

from osler.structures.section import Section

Side = Annotated[int, Gt(0)]


class Statistics(Section):
    """Mean and standard deviation of each channel, pictures in [0, 1]."""

    mean: tuple[float, ...] = Field((0.5, 0.5, 0.5), description="one number a channel")
    std: tuple[Annotated[float, Gt(0)], ...] = Field((0.5, 0.5, 0.5), description="one number a channel, above 0")

    @model_validator(mode="after")
    def _same_channels(self) -> Self:
        if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3):
            raise ValueError(f"mean and std need 1 or 3 numbers each; given: {len(self.mean)} and {len(self.std)}")
        return self


class ModelSection(Section):
    """Which network, and how pictures enter it. The number of outputs is the task's to say."""

    name: str = Field("auto", description="a network by name, or file.py:Class; auto: by the size of the pictures")
    options: dict[str, Any] = Field({}, description="of the network, e.g. {stem: small}")
    weights: str = Field(
        "auto",
        description="start from these: a run's folder, Osler's .safetensors, torchvision or torchvision:PATH or :URL (timm "
        "likewise); none: from nothing; auto: public ImageNet weights for photographs, where they can be had",
    )
    initialisation: str = Field(
        "auto",
        description="how weights start where none are read: auto (as the network's paper says), zeros, constant, normal, "
        "uniform, truncated_normal, xavier_uniform, xavier_normal, he_uniform, he_normal, orthogonal, identity, torch, lsuv",
    )
    initialisation_options: dict[str, Any] = Field({}, description="of the named initialisation, e.g. {std: 0.02}")
    size: Side | tuple[Side, Side] | Literal["auto"] = Field(
        "auto", description="side, or height and width, in pixels; auto: by the pictures"
    )
    fit: Literal["auto", "stretch", "crop", "pad"] = Field(
        "auto", description="how a picture gets that size: stretch; short side, then centre crop; letter-box"
    )
    crop_fraction: Annotated[float, Gt(0), Le(1)] | None = Field(
        None,
        description="fit=crop: the share of the short side that is kept, 224 of 256 is 0.875; empty: as the weights, else all",
    )
    channels: Literal["auto", 1, 3] = Field("auto", description="1: grey, 3: RGB; auto: as the pictures are")
    mirror: bool = Field(
        False, description="answer with the mean over the picture and its mirror image, at twice the cost"
    )
    standardise: Literal["auto", "measured", "imagenet", "half"] | Statistics = Field(
        "auto",
        description="mean and spread taken out of each channel: measured on the training pictures; imagenet's; half "
        "(to -1..1); or {mean: [...], std: [...]}; auto: the weights' own, else measured",
    )
