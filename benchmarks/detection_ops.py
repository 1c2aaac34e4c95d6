"""The operators of detection: NMS, RoI align, decoding and matching.

    OMP_NUM_THREADS=2 python benchmarks/detection_ops.py [pooling] [coding] [nms]

NMS is compared with a plain NumPy greedy loop in the same run (the best of a few rounds each, taken in turn), on boxes
scattered over a picture of 800 x 800 pixels, of one class and of 80, and on boxes crowded around 30 objects; it must be
no slower at 1,000 scattered boxes and at least four times as fast at 20,000, and keep the same boxes. RoI align: 512
regions, 256 channels, 7 x 7 bins, forward and backward; torchvision's operators are timed beside where installed.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from osler.ops import batched_nms, box_iou, nms, precise_roi_pool, roi_align, roi_pool
from osler.ops.box_coding import decode_boxes
from osler.ops.matching import RPN, max_iou_match

SIDE = 800
THRESHOLD = 0.5
SIZES = {"8 to 40 px": 40, "8 to 100 px": 100, "8 to 300 px": 300}
TORCHVISION = find_spec("torchvision") is not None


def milliseconds(*runs: Callable[[], object], rounds: int = 5) -> list[float]:
    """The best of a few rounds of each, taken in turn, so that a busy machine meets all alike."""
    best = [float("inf")] * len(runs)
    for _ in range(rounds):
        for i, run in enumerate(runs):
            started = time.perf_counter()
            run()
            best[i] = min(best[i], (time.perf_counter() - started) * 1e3)
    return best


def plain_greedy(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    x1, y1, x2, y2 = boxes.T
    area, order, kept = (x2 - x1) * (y2 - y1), np.argsort(-scores, kind="stable"), []
    while order.size:
        first, rest = order[0], order[1:]
        kept.append(int(first))
        width = np.minimum(x2[first], x2[rest]) - np.maximum(x1[first], x1[rest])
        height = np.minimum(y2[first], y2[rest]) - np.maximum(y1[first], y1[rest])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        order = rest[shared / (area[first] + area[rest] - shared) <= threshold]
    return kept


def plain_per_class(boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, threshold: float) -> list[int]:
    kept = [np.flatnonzero(classes == c) for c in np.unique(classes)]
    kept = [own[plain_greedy(boxes[own], scores[own], threshold)] for own in kept]
    every = np.sort(np.concatenate(kept))  # of equal scores the first in the list is the better
    return every[np.argsort(-scores[every], kind="stable")].tolist()


def scattered(number: int, largest: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    size = torch.rand(number, 2, generator=generator) * (largest - 8) + 8
    corner = torch.rand(number, 2, generator=generator) * (SIDE - size)
    return torch.cat([corner, corner + size], 1), torch.rand(number, generator=generator)


def crowded(number: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    size = 20 + 150 * torch.rand(30, 2, generator=generator)
    place = torch.rand(30, 2, generator=generator) * (SIDE - size)
    which = torch.randint(30, (number,), generator=generator)
    jitter = 1 + 0.15 * torch.randn(2, number, 2, generator=generator)
    corner, size = place[which] + (jitter[0] - 1) * size[which], size[which] * jitter[1].clamp(min=0.3)
    return torch.cat([corner, corner + size], 1), torch.rand(number, generator=generator)


def time_nms() -> None:
    for scene in (*SIZES, "crowded"):
        for number in (1_000, 2_000, 5_000, 10_000, 20_000):
            boxes, scores = crowded(number) if scene == "crowded" else scattered(number, SIZES[scene])
            compare_nms(f"{scene:11} {number:6} 1 class   ", boxes, scores, None)
            classes = torch.randint(80, (number,), generator=torch.Generator().manual_seed(1))
            compare_nms(f"{scene:11} {number:6} 80 classes", boxes, scores, classes)


def compare_nms(title: str, boxes: Tensor, scores: Tensor, classes: Tensor | None) -> None:
    if classes is None:
        ours = partial(nms, boxes, scores, THRESHOLD)
        plain = partial(plain_greedy, boxes.numpy(), scores.numpy(), THRESHOLD)
    else:
        ours = partial(batched_nms, boxes, scores, classes, THRESHOLD)
        plain = partial(plain_per_class, boxes.numpy(), scores.numpy(), classes.numpy(), THRESHOLD)
    same = ours().tolist() == plain()
    mine, loop = milliseconds(ours, plain, rounds=5 if len(boxes) <= 2_000 else 3)
    beside = torchvision_nms(boxes, scores, classes)
    times = f"{mine:8.2f} ms  plain {loop:8.2f} ms  {loop / mine:5.1f} times as fast"
    print(f"nms {title} {times}  same boxes: {same}{beside}", flush=True)


def torchvision_nms(boxes: Tensor, scores: Tensor, classes: Tensor | None) -> str:
    if not TORCHVISION:
        return ""
    from torchvision import ops

    if classes is None:
        (theirs,) = milliseconds(lambda: ops.nms(boxes, scores, THRESHOLD), rounds=2)
    else:
        (theirs,) = milliseconds(lambda: ops.batched_nms(boxes, scores, classes, THRESHOLD), rounds=2)
    return f"  torchvision {theirs:.2f} ms"


def time_pooling() -> None:
    generator = torch.Generator().manual_seed(0)
    size = torch.rand(512, 2, generator=generator) * 376 + 24
    corner = torch.rand(512, 2, generator=generator) * (SIDE - size)
    rois = torch.cat([torch.arange(512)[:, None] % 2 * 1.0, corner, corner + size], 1)
    maps = torch.randn(2, 256, SIDE // 16, SIDE // 16, generator=generator).requires_grad_()
    cotangent = torch.randn(512, 256, 7, 7, generator=generator)
    poolings = {
        "roi_align, 2 x 2 samples": lambda: roi_align(maps, rois, 7, 1 / 16, 2, aligned=True),
        "roi_align, adaptive": lambda: roi_align(maps, rois, 7, 1 / 16, 0, aligned=True),
        "roi_pool": lambda: roi_pool(maps, rois, 7, 1 / 16),
        "precise_roi_pool": lambda: precise_roi_pool(maps, rois, 7, 1 / 16),
    }
    if TORCHVISION:
        from torchvision import ops

        poolings["torchvision roi_align, 2 x 2"] = lambda: ops.roi_align(maps, rois, 7, 1 / 16, 2, aligned=True)
        poolings["torchvision roi_pool"] = lambda: ops.roi_pool(maps, rois, 7, 1 / 16)
    for name, pooling in poolings.items():
        forward, both = milliseconds(pooling, partial(there_and_back, pooling, maps, cotangent))
        print(f"{name:29} forward {forward:7.1f} ms   forward and backward {both:7.1f} ms", flush=True)


def there_and_back(pooling: Callable[[], Tensor], maps: Tensor, cotangent: Tensor) -> None:
    torch.autograd.grad(pooling(), maps, cotangent)


def time_coding_and_matching() -> None:
    anchors, _ = scattered(100_000, 300)
    deltas = torch.randn(100_000, 4, generator=torch.Generator().manual_seed(0)) * 0.2
    print(f"decode 100,000 anchors {milliseconds(lambda: decode_boxes(deltas, anchors))[0]:23.2f} ms")
    objects, _ = scattered(50, 300)
    print(f"box_iou of 100,000 anchors and 50 objects {milliseconds(lambda: box_iou(objects, anchors))[0]:4.1f} ms")
    (spent,) = milliseconds(lambda: max_iou_match(anchors, objects, RPN))
    print(f"match 100,000 anchors to 50 objects, with their IoU {spent:10.2f} ms")


SECTIONS = {"pooling": time_pooling, "coding": time_coding_and_matching, "nms": time_nms}

if __name__ == "__main__":
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, torchvision installed: {TORCHVISION}")
    for section in sys.argv[1:] or SECTIONS:
        SECTIONS[section]()
