"""From a picture file through the transforms, decoding no more than the first of them will use.

A random crop that ends a third of the way down a JPEG needs a third of its pixels decoded, and one that is much larger
than the network's input needs them at a half or a quarter of their size. So a transform that begins by choosing a
window (`Opens`) is shown the file instead of its pixels. What comes out is what decoding first would have given: the
same window, drawn by the same random numbers; the same pixels where nothing was reduced, and within 35 dB on most
pictures where it was.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from osler.imaging.decode import EncodedPicture
from osler.imaging.geometry import blank
from osler.imaging.transform import SampleTransform
from osler.structures.sample import Sample


@runtime_checkable
class Opens(SampleTransform, Protocol):
    """A transform that begins with a window of the picture, and can take it straight from the file."""

    def open(self, picture: EncodedPicture, sample: Sample, rng: np.random.Generator) -> Sample:
        """What the call would give for the decoded picture; of `sample.image` only the shape may be used."""
        ...


def undecoded(picture: EncodedPicture, **truth: Any) -> Sample:
    """The sample of a picture not decoded yet: its truth, and in place of pixels an array that has only a shape."""
    return Sample(image=blank(picture.height, picture.width, picture.channels), **truth)


def open_sample(
    picture: EncodedPicture, sample: Sample, transforms: Sequence[SampleTransform], rng: np.random.Generator
) -> Sample:
    """Decode `picture`, put its pixels into `sample` (whose own image has only the shape), and run the transforms.

    Args:
        picture: the file.
        sample: its truth, as `undecoded` gives it.
        transforms: in order; the first is shown the file if it `Opens`.
        rng: all randomness.

    Raises:
        UnreadableError: the file is cut short or damaged.
    """
    first, rest = (transforms[0], transforms[1:]) if transforms else (None, ())
    opened = getattr(first, "open", None)  # a protocol's isinstance takes as long as a small resize
    if opened is not None:
        sample = opened(picture, sample, rng)
    else:
        sample = replace(sample, image=picture.read())
        sample = sample if first is None else first(sample, rng)
    for transform in rest:
        sample = transform(sample, rng)
    return sample
