"""ONNX's own nodes for suppression and RoI align: what `torch.onnx.export` needs to write a detector's operators.

    torch.onnx.export(model, inputs, dynamo=True, custom_translation_table=osler.ops.onnx_nodes.translations())

ONNX's NonMaxSuppression removes what overlaps more than the threshold, as ours does, and its RoiAlign has the same two ways of
reading coordinates (operator set 18). Which runtime runs them is not our concern; onnxruntime does.
"""

from collections.abc import Callable
from typing import Any

import torch

from osler.ops import graph_nodes  # noqa: F401  it registers the nodes that are translated
from osler.structures.errors import MissingExtraError

ALL = 2**31 - 1  # boxes that may stay
LONG = 7  # ONNX's number for int64


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """What each of our nodes becomes.

    Raises:
        MissingExtraError: onnxscript is not installed.
    """
    try:
        from onnxscript import opset18
    except ImportError as error:
        raise MissingExtraError("Writing ONNX needs onnxscript: pip install 'osler[export]'.") from error

    op: Any = opset18  # whose annotations know no tensors that are still to come

    def numbers(*values: int) -> Any:
        return op.Constant(value_ints=values)

    def nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
        kept = op.NonMaxSuppression(
            op.Unsqueeze(boxes, numbers(0)),
            op.Unsqueeze(scores, numbers(0, 1)),
            numbers(ALL),
            op.Constant(value_floats=[iou_threshold]),
        )
        return op.Gather(kept, op.Constant(value_int=2), axis=1)  # of picture, class, box

    def roi_align(
        maps: Any, rois: Any, rows: int, columns: int, spatial_scale: float, sampling_ratio: int, aligned: bool
    ) -> Any:
        pictures = op.Cast(op.Gather(rois, op.Constant(value_int=0), axis=1), to=LONG)
        return op.RoiAlign(
            maps,
            op.Slice(rois, numbers(1), numbers(5), numbers(1)),
            pictures,
            coordinate_transformation_mode="half_pixel" if aligned else "output_half_pixel",
            output_height=rows,
            output_width=columns,
            sampling_ratio=max(0, sampling_ratio),
            spatial_scale=spatial_scale,
        )

    return {torch.ops.osler.nms.default: nms, torch.ops.osler.roi_align.default: roi_align}
