"""How boxes, masks and segmentation move with a picture: every geometric transform uses one of these functions.

Boxes are clipped to the picture; a box that is left with no area, or an object whose mask has left the picture, is
dropped with all its attributes. Where an object has a mask, its box follows the mask: it is drawn tight around what is
left of it. Masks and segmentations hold labels, so they are never interpolated (nearest neighbour). What comes in from
outside the picture is class 255 in a segmentation, which losses ignore, and 0 in a mask.
"""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from osler.structures.sample import Objects, Sample

OUTSIDE = 255  # the class of pixels that no picture covers
Image = UInt8[np.ndarray, "height width channels"]


def blank(height: int, width: int, channels: int = 1) -> Image:
    """Stands for pixels where only their shape matters: takes no memory, and refuses to be written."""
    return np.ndarray((height, width, channels), np.uint8, buffer=b"\0", strides=(0, 0, 0))


def clip_boxes(boxes: Float[np.ndarray, "objects 4"], height: int, width: int) -> Float[np.ndarray, "objects 4"]:
    """Boxes with their corners inside a picture of that size."""
    limit = np.array([width, height, width, height], boxes.dtype)
    return np.clip(boxes, 0, limit)


def clip_objects(objects: Objects, height: int, width: int) -> Objects:
    """Objects with their boxes clipped to the picture, without those whose boxes are left with no area."""
    boxes = clip_boxes(objects.boxes, height, width)
    inside = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return replace(objects, boxes=boxes).select(inside)


def mask_boxes(masks: UInt8[np.ndarray, "objects height width"]) -> Float[np.ndarray, "objects 4"]:
    """The tightest boxes around masks, in pixels; zeros for an empty mask."""
    boxes = np.zeros((len(masks), 4), np.float32)
    for i, mask in enumerate(masks):
        columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
        if len(columns):
            boxes[i] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes


def tighten(objects: Objects) -> Objects:
    """Objects with their boxes cut to their masks, without those whose masks are empty; without masks, as they are."""
    if objects.masks is None:
        return objects
    tight = mask_boxes(objects.masks)
    low, high = np.maximum(objects.boxes[:, :2], tight[:, :2]), np.minimum(objects.boxes[:, 2:], tight[:, 2:])
    boxes = np.concatenate([low, high], axis=1).astype(objects.boxes.dtype)
    seen: Bool[np.ndarray, " objects"] = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return replace(objects, boxes=boxes).select(seen)


def scale_boxes(
    boxes: Float[np.ndarray, "objects 4"], scale: tuple[float, float], offset: tuple[float, float] = (0.0, 0.0)
) -> Float[np.ndarray, "objects 4"]:
    """Boxes multiplied by `scale` (x, y), then moved by `offset` (x, y)."""
    return (boxes * np.array(scale * 2, boxes.dtype) + np.array(offset * 2, boxes.dtype)).astype(boxes.dtype)


def _nearest(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A label map at another size, each pixel from the one under its centre, in the type it had."""
    rows = ((np.arange(size[0]) + 0.5) * labels.shape[-2] / size[0]).astype(np.intp)
    columns = ((np.arange(size[1]) + 0.5) * labels.shape[-1] / size[1]).astype(np.intp)
    return labels[..., rows[:, None], columns]


def resize_truth(sample: Sample, image: Image) -> Sample:
    """The sample with `image`, its own picture at another size, and its truth stretched along.

    Boxes are not cut to the resized masks: an object thinner than a pixel of the new size keeps its box.
    """
    height, width = sample.image.shape[:2]
    size = image.shape[:2]
    scale = sample.scale[0] * size[1] / width, sample.scale[1] * size[0] / height
    if size == (height, width) or (sample.objects is None and sample.segmentation is None):
        return replace(sample, image=image, scale=scale)
    objects, segmentation = sample.objects, sample.segmentation
    if objects is not None:
        boxes = scale_boxes(objects.boxes, (size[1] / width, size[0] / height))
        masks = None if objects.masks is None else _nearest(objects.masks, size)
        objects = clip_objects(replace(objects, boxes=boxes, masks=masks), *size)
    if segmentation is not None:
        segmentation = _nearest(segmentation, size)
    return replace(sample, image=image, objects=objects, segmentation=segmentation, scale=scale)


def crop_truth(sample: Sample, image: Image, window: tuple[int, int, int, int]) -> Sample:
    """The sample with `image`, its own picture's pixels inside `window` (x1, y1, x2, y2), and its truth cut along."""
    if sample.objects is None and sample.segmentation is None:
        return replace(sample, image=image)
    x1, y1, x2, y2 = window
    objects, segmentation = sample.objects, sample.segmentation
    if objects is not None:
        masks = None if objects.masks is None else objects.masks[:, y1:y2, x1:x2].copy()
        boxes = scale_boxes(objects.boxes, (1.0, 1.0), (-x1, -y1))
        objects = tighten(clip_objects(replace(objects, boxes=boxes, masks=masks), y2 - y1, x2 - x1))
    if segmentation is not None:
        segmentation = segmentation[y1:y2, x1:x2].copy()
    return replace(sample, image=image, objects=objects, segmentation=segmentation)


def cut_truth(sample: Sample, window: tuple[int, int, int, int]) -> Sample:
    """As `crop_truth`, with no more of the picture than its new shape, for who brings the pixels another way."""
    return crop_truth(sample, blank(window[3] - window[1], window[2] - window[0]), window)


def crop(sample: Sample, window: tuple[int, int, int, int]) -> Sample:
    """The part of a sample inside a window (x1, y1, x2, y2) that lies within the picture."""
    x1, y1, x2, y2 = window
    return crop_truth(sample, sample.image[y1:y2, x1:x2].copy(), window)


def pad_truth(sample: Sample, image: Image, top: int, left: int) -> Sample:
    """The sample with `image`, in which its own picture lies `top` rows down and `left` columns in."""
    if sample.objects is None and sample.segmentation is None:
        return replace(sample, image=image)
    height, width = sample.image.shape[:2]
    inside = (..., slice(top, top + height), slice(left, left + width))
    objects, segmentation = sample.objects, sample.segmentation
    if objects is not None:
        masks = objects.masks
        if masks is not None:
            masks = np.zeros((len(masks), *image.shape[:2]), masks.dtype)
            masks[inside] = objects.masks
        objects = replace(objects, boxes=scale_boxes(objects.boxes, (1.0, 1.0), (left, top)), masks=masks)
    if segmentation is not None:
        padded = np.full(image.shape[:2], OUTSIDE, segmentation.dtype)
        padded[inside] = segmentation
        segmentation = padded
    return replace(sample, image=image, objects=objects, segmentation=segmentation)


def map_boxes(
    boxes: Float[np.ndarray, "objects 4"], matrix: Float[np.ndarray, "2 3"]
) -> Float[np.ndarray, "objects 4"]:
    """The upright boxes around `boxes` after an affine map of the plane (2 x 3, acting on x, y, 1)."""
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    moved = corners @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([moved.min(1), moved.max(1)], axis=1).astype(boxes.dtype)


def warp_truth(
    sample: Sample, image: Image, matrix: Float[np.ndarray, "2 3"], warp: Callable[[np.ndarray, int], np.ndarray]
) -> Sample:
    """The sample with `image`, its own picture under an affine map, and its truth moved along.

    Args:
        sample: as it was.
        image: the mapped picture.
        matrix: where a point x, y (edges, not pixel centres: the first pixel spans 0 to 1) goes.
        warp: maps a label array without interpolation, given what lies outside.
    """
    if sample.objects is None and sample.segmentation is None:
        return replace(sample, image=image)
    objects, segmentation = sample.objects, sample.segmentation
    if objects is not None:
        masks = objects.masks
        if masks is not None and len(masks):
            masks = np.stack([warp(mask, 0) for mask in masks])
        boxes = map_boxes(objects.boxes, matrix)
        objects = tighten(clip_objects(replace(objects, boxes=boxes, masks=masks), *image.shape[:2]))
    if segmentation is not None:
        # OpenCV maps no 64-bit integers; float32 holds every class below 2**24 exactly.
        segmentation = warp(segmentation.astype(np.float32), OUTSIDE).astype(segmentation.dtype)
    return replace(sample, image=image, objects=objects, segmentation=segmentation)


def flip(sample: Sample, *, horizontal: bool) -> Sample:
    """The sample mirrored left to right, or top to bottom."""
    image = cv2.flip(sample.image, 1 if horizontal else 0)
    image = image if image.ndim == 3 else image[:, :, None]
    if sample.objects is None and sample.segmentation is None:
        return replace(sample, image=image)
    objects, segmentation = sample.objects, sample.segmentation
    axis = -1 if horizontal else -2
    if objects is not None:
        low, high, length = (0, 2, image.shape[1]) if horizontal else (1, 3, image.shape[0])
        boxes = objects.boxes.copy()
        boxes[:, low], boxes[:, high] = length - objects.boxes[:, high], length - objects.boxes[:, low]
        masks = None if objects.masks is None else np.flip(objects.masks, axis).copy()
        objects = replace(objects, boxes=boxes, masks=masks)
    if segmentation is not None:
        segmentation = np.flip(segmentation, axis).copy()
    return replace(sample, image=image, objects=objects, segmentation=segmentation)
