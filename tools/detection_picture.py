"""Writes docs/images/detection.jpg, what a trained detector finds in test pictures of digits-in-the-wild.

    python tools/detection_picture.py RUN

The first pictures of the test part with enough digits, four in all and at most two over a photograph: none is picked by its answer.
"""

import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import torch

from osler.data.objects.digits_in_the_wild import DigitsInTheWild
from osler.verbs.loading import answering_engine, load_trained

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "detection.jpg"
DIGITS, AT_MOST, COLUMNS, GAP = 5, 2, 4, 8


def chosen(pictures: DigitsInTheWild) -> list[int]:
    """Which pictures are shown."""
    over: Counter[int] = Counter()
    rows = []
    for row, plan in enumerate(pictures.plans):
        if len(plan.digits) >= DIGITS and over[plan.photograph] < AT_MOST and len(rows) < COLUMNS:
            over[plan.photograph] += 1
            rows.append(row)
    return rows


def main() -> None:
    """Asks the run's network and draws its answers beside one another."""
    artefact = load_trained(sys.argv[1])
    _, standardise = answering_engine(artefact, "cpu")
    pictures = DigitsInTheWild.drawn("test", 40)
    drawn = []
    for row in chosen(pictures):
        image = pictures[row].image
        with torch.inference_mode():
            found = artefact.model.eval()(standardise(torch.from_numpy(image).permute(2, 0, 1)[None]))
        drawn += [artefact.task.draw(image, found[0]), np.full((image.shape[0], GAP, 3), 255, np.uint8)]
    whole = np.hstack(drawn[:-1])
    cv2.imwrite(str(PICTURE), whole[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f"Written: {PICTURE}, {PICTURE.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
