"""Copy-paste: objects cut out of one picture by their masks and pasted onto another (Ghiasi et al. 2021, section 3).

The paper jitters the scale of both pictures first (`scale_jitter`, 0.1 to 2), then pastes a random subset of the
objects, without blending (their table says that it makes no difference), and removes what is wholly covered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from annotated_types import Ge
from jaxtyping import Bool

from osler.imaging.colour import Share, to_channels
from osler.imaging.gathering import join_objects, lay_out
from osler.imaging.geometry import mask_boxes
from osler.imaging.transform import sample_transforms
from osler.structures.errors import DataError
from osler.structures.sample import Objects, Sample


@sample_transforms.register("copy_paste")
@dataclass(frozen=True)
class CopyPaste:
    """Each object of another picture, crowds aside, pasted with a chance of `share`, where it lies in its own picture."""

    probability: Share = 1.0
    share: Share = 0.5
    least: Annotated[int, Ge(1)] = 10  # pixels: covered objects of which fewer are left are dropped

    @property
    def partners(self) -> int:
        """The picture that objects are taken from."""
        return 1

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample as it is: alone there is nothing to paste."""
        return sample

    def gather(self, sample: Sample, others: Sequence[Sample], rng: np.random.Generator) -> Sample:
        """The sample with objects of another.

        Raises:
            DataError: the objects of either have no masks.
        """
        if rng.random() >= self.probability or not others:
            return sample
        size = sample.image.shape[:2]
        source = lay_out(others[0], (size[0], size[1]), 0, 0)
        if source is None or source.objects is None or sample.objects is None:
            return sample
        _need_masks(sample)
        _need_masks(source)
        chosen = self._chosen(source.objects, rng)
        if len(chosen) == 0:
            return sample
        assert chosen.masks is not None
        covered: Bool[np.ndarray, "height width"] = np.asarray(np.any(chosen.masks, axis=0))
        tall, wide = source.image.shape[:2]
        pasted = np.zeros_like(sample.image)
        pasted[:tall, :wide] = to_channels(source.image, 3 if sample.image.shape[2] == 3 else 1)
        segmentation = sample.segmentation
        if segmentation is not None and source.segmentation is not None:
            segmentation = np.where(covered, source.segmentation, segmentation)
        return replace(
            sample,
            image=np.where(covered[..., None], pasted, sample.image),
            objects=join_objects([self._left(sample.objects, covered), chosen]),
            segmentation=segmentation,
        )

    def _chosen(self, objects: Objects, rng: np.random.Generator) -> Objects:
        drawn = rng.random(len(objects)) < self.share
        if objects.crowd is not None:
            drawn &= ~objects.crowd
        assert objects.masks is not None
        return objects.select(drawn & objects.masks.any((1, 2)))

    def _left(self, objects: Objects, covered: np.ndarray) -> Objects:
        """What is left of the objects below: masks without what is covered, boxes tight around what is left."""
        assert objects.masks is not None
        touched = (objects.masks & covered).any((1, 2))
        if not touched.any():
            return objects
        masks = objects.masks * (1 - covered.astype(np.uint8))
        boxes = objects.boxes.copy()
        boxes[touched] = mask_boxes(masks[touched])
        return replace(objects, boxes=boxes, masks=masks).select(~touched | (masks.sum((1, 2)) >= self.least))


def _need_masks(sample: Sample) -> None:
    if sample.objects is not None and len(sample.objects) and sample.objects.masks is None:
        raise DataError(
            f"copy_paste cuts objects out by their masks, and {sample.path or f'picture {sample.index}'} has boxes only. "
            "Use mosaic instead, or a set with outlines."
        )
