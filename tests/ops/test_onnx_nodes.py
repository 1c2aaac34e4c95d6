"""Suppression and RoI align as ONNX, run by onnxruntime on other numbers than they were written with."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from osler.ops import batched_nms, nms, roi_align
from osler.ops.onnx_nodes import translations

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's exporter and onnxscript warn about themselves


class Operators(nn.Module):
    """What a second stage does: suppression, alone and class by class, and cutting regions out of a map."""

    def __init__(self, aligned: bool, sampling: int) -> None:
        super().__init__()
        self.aligned, self.sampling = aligned, sampling

    def forward(self, maps: Tensor, boxes: Tensor, scores: Tensor, classes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rois = torch.cat([torch.zeros_like(boxes[:, :1]), boxes], dim=1)
        cut = roi_align(maps, rois, (7, 5), 0.25, self.sampling, self.aligned)
        return nms(boxes, scores, 0.5), batched_nms(boxes, scores, classes, 0.3), cut


def inputs(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(60, 2, generator=generator) * 60
    boxes = torch.cat([corner, corner + torch.rand(60, 2, generator=generator) * 50 + 5], dim=1)
    scores, classes = torch.rand(60, generator=generator), torch.randint(3, (60,), generator=generator)
    return torch.randn(1, 4, 32, 32, generator=generator), boxes, scores, classes


@pytest.mark.parametrize(("aligned", "sampling"), [(True, 2), (False, 0)])
def test_onnxruntime_keeps_the_same_boxes_and_cuts_the_same_regions(
    aligned: bool, sampling: int, tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model = Operators(aligned, sampling).eval()
    program = torch.onnx.export(model, inputs(0), dynamo=True, verbose=False, custom_translation_table=translations())
    assert program is not None
    program.save(str(tmp_path / "operators.onnx"))
    session = onnxruntime.InferenceSession(str(tmp_path / "operators.onnx"))
    for seed in (0, 1, 2):
        given = inputs(seed)
        names = [i.name for i in session.get_inputs()]
        answers = session.run(None, {name: value.numpy() for name, value in zip(names, given, strict=True)})
        alone, by_class, cut = model(*given)
        np.testing.assert_array_equal(answers[0], alone.numpy())
        np.testing.assert_array_equal(answers[1], by_class.numpy())
        np.testing.assert_allclose(answers[2], cut.numpy(), atol=2e-6)
