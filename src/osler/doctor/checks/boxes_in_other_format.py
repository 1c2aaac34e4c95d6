"""Boxes that are written in one way and read in another."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.objects_read import WORDS, ObjectsRead
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="boxes-in-other-format",
    category="data",
    phase="before",
    title="Boxes are in another format than the detector reads",
    symptom="The classes are learnt a little, the boxes never: average precision stays near 0 while the loss goes down.",
    cause=(
        "Boxes are written as two corners (Pascal VOC, torchvision), as a corner and a size (COCO), or as a middle and a size in "
        "shares of the picture (YOLO). Four numbers of one kind look like four of another, so that nothing fails: the "
        "detector is taught boxes that are elsewhere, of another size, or a thousand times too small."
    ),
    seen_by=(
        "where the network or the code is known to read corners in pixels: all numbers are at most 1; or hardly any box "
        "ends after it begins, and 97 % lie in their pictures if the last two numbers are sizes; or the boxes of some "
        "pictures are shares and those of others pixels"
    ),
    remedies=(
        Remedy(
            "convert the boxes",
            "Turn the boxes into x1, y1, x2, y2 in pixels before the detector sees them: of x, y, width, height that is "
            "x, y, x + width, y + height.",
        ),
        Remedy("change the reader", "Or read them as they are written, wherever overlaps and targets are computed."),
    ),
    sources=(
        "Lin et al. 2014, Microsoft COCO, and its format page: bbox is x, y, width, height",
        "Everingham et al. 2010, The Pascal Visual Object Classes Challenge: xmin, ymin, xmax, ymax",
        "Redmon et al. 2016, You Only Look Once, section 2: middles and sizes in shares",
        "the doctor's own calibration of the shares",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares what fits the pictures with what is read."""
    objects = case.objects
    yield from _of_reader(objects)
    table = objects.train
    if objects.mixed is not None:
        shares, held = objects.mixed, [p for p in table.pictures if len(p.boxes) and np.any(p.boxes > 0)]
        odd = held[int(np.flatnonzero(shares if shares.mean() < 0.5 else ~shares)[0])]
        yield FAULT.found(
            f"the boxes of {int(shares.sum()):,} pictures are shares of the picture (at most {thresholds.SHARE_LIMIT:g}), those of "
            f"{int((~shares).sum()):,} are pixels; such as ({', '.join(f'{v:.4g}' for v in odd.boxes[0])}) in {odd.name}",
            where=objects.where(),
            certainty=0.93,
            change="Write the boxes of all pictures in one unit: multiply the shares by their picture's width and height.",
        )
    elif objects.misread and len(table) >= thresholds.BOXES_ENOUGH:
        yield FAULT.found(
            f"{_numbers(objects)}: these are {objects.misread}; such as {table.example(0)}",
            where=objects.where(),
            certainty=0.95,
            change=_change(objects),
        )


def _numbers(objects: ObjectsRead) -> str:
    table = objects.train
    ordered = int(np.all(table.values[:, 2:] > table.values[:, :2], axis=1).sum())
    if objects.form.layout == "corners":
        return f"no number of {len(table):,} boxes is above {table.values.max():.3g}"
    return (
        f"only {ordered:,} of {len(table):,} boxes end after they begin, but nearly all lie in their pictures as sizes"
    )


def _change(objects: ObjectsRead) -> str:
    form, steps = objects.form, list[str]()
    if objects.seen.form == "data":
        return "Write the annotations as their format wants them, corners or sizes in pixels, or multiply the shares by the sides."
    if form.layout == "sized":
        steps.append("boxes[:, 2:] += boxes[:, :2]")
    elif form.layout == "centred":
        steps.append("boxes = torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)")
    if form.shares and objects.reader:
        steps.append("boxes * torch.tensor([width, height, width, height])")
    return f"Give the detector {WORDS['corners']} in pixels: {', then '.join(steps)}."


def _of_reader(objects: ObjectsRead) -> Iterator[Finding]:
    faults, total = objects.seen.faults, objects.annotated
    swapped, pixels, reaching = faults["swapped corners"], faults["not a share"], faults["reaches outside"]
    if reaching >= max(thresholds.BOXES_ENOUGH, thresholds.REACHING_OF_FORMAT * total):
        yield FAULT.found(
            f"{reaching:,} of about {total:,} annotated boxes reach outside their pictures: corners taken for x, y, width, height? "
            f"They are cut; such as {objects.seen.fault_examples.get('reaches outside', '')}",
            certainty=0.85,
            change="Write the annotations as position and size, or name their format; `osler data` lists them all.",
        )
    if swapped >= max(thresholds.BOXES_ENOUGH, thresholds.SWAPPED_OF_FORMAT * (swapped + total)):
        yield FAULT.found(
            f"{swapped:,} of {swapped + total:,} annotated boxes end before they begin: x, y, width, height taken for corners? "
            f"They are left out; such as {objects.seen.fault_examples.get('swapped corners', '')}",
            certainty=0.9,
            change="Write the annotations as corners, or name their format; `osler data` lists them all.",
        )
    if pixels:
        yield FAULT.found(
            f"{pixels:,} annotated boxes hold numbers that are no shares of the picture's sides and are left out: pixels, "
            f"perhaps; such as {objects.seen.fault_examples.get('not a share', '')}",
            severity="critical" if pixels >= thresholds.BAD_BOXES_GRAVE * (pixels + total) else "note",
            certainty=0.9,
            change="Divide middles and sizes by the picture's width and height, as YOLO's files want it.",
        )
