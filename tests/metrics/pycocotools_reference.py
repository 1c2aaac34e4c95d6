"""pycocotools' numbers of the same pictures; importing this fails where pycocotools is not installed."""

import contextlib
import io
import sys
from collections.abc import Sequence

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from osler.metrics import detection
from osler.structures.detections import Detections, TrueObjects


def numbers(found: Sequence[Detections], truths: Sequence[TrueObjects], classes: int, kind: str) -> dict[str, float]:
    """COCO's numbers that can be counted."""
    sizes = [detection._size(f, t) for f, t in zip(found, truths, strict=True)]
    rows, areas = detection._answers(found, truths, sizes, kind)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = detection._dataset(truths, sizes, classes, kind)
        truth.createIndex()
        answers = truth.loadRes(rows)
        for row, area in enumerate(areas, 1):
            answers.anns[row]["area"] = area
        evaluation = COCOeval(truth, answers, "bbox" if kind == "boxes" else "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {n: float(v) for n, v in zip(detection.NUMBERS, evaluation.stats, strict=True) if v >= 0}


if __name__ == "__main__":  # python tests/metrics/pycocotools_reference.py > tests/metrics/pycocotools_numbers.json
    import json

    from test_coco_numbers import pictures

    cases = {f"{c} {k}": numbers(*pictures(c), 3, k) for c in ("crowds", "many", "scaled") for k in ("boxes", "masks")}
    sys.stdout.write(json.dumps(cases, indent=1) + "\n")
