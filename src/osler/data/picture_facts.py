"""What an audit keeps of a picture once its pixels are gone."""

from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np

from osler.data.appearance import grey
from osler.data.statistics import Moments, moments
from osler.structures.sample import Objects, Sample


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """Size, content and label of a picture."""

    where: str  # for the person: its path, or its part and number
    part: str
    answer: tuple[float, ...]  # the target, comparable
    height: int
    width: int
    grey: bool
    blank: bool  # one colour all over
    content: bytes  # equal for equal pixels, whatever file holds them
    moments: Moments
    objects: Objects | None = None  # without masks


def facts_of(sample: Sample, part: str, target: np.ndarray) -> PictureFacts:
    """The facts of a decoded picture. A grey picture stored in three channels equals the same in one."""
    image, without_colour = sample.image, grey(sample.image)
    plane = np.ascontiguousarray(image[..., :1] if without_colour else image)
    height, width = image.shape[:2]
    return PictureFacts(
        where=sample.path or f"{part} picture {sample.index}",
        part=part,
        answer=tuple(np.atleast_1d(target).tolist()),
        height=height,
        width=width,
        grey=without_colour,
        blank=bool((image == image[:1, :1]).all()),
        content=blake2b(plane.tobytes(), digest_size=16, salt=f"{height}x{width}".encode()[:16]).digest(),
        moments=moments(image),
        objects=None if sample.objects is None else replace(sample.objects, masks=None),
    )
