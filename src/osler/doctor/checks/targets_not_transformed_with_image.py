"""Pictures are mirrored, turned or moved, and their boxes or masks are not."""

import re
from collections.abc import Iterator

from osler.doctor.case import REGRESSION_LOSSES, Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.geometry_lines import lonely_geometry
from osler.doctor.place_of_things import tied_to_place
from osler.doctor.provenance import Step
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LossSeen, ModelSeen

FAULT = Fault(
    name="targets-not-transformed-with-image",
    category="data",
    phase="before",
    title="Masks or boxes do not follow the image's transform",
    symptom="The network points to the middle, or to both sides at once; augmentation makes it worse.",
    cause=(
        "A picture that is mirrored shows the thing on the other side, but its box, mask or key points still name the old place. "
        "Half of the targets are then wrong, and the best answer is the mean of both."
    ),
    seen_by=(
        "the script changes the geometry of the picture at random and does nothing to the target, which is a "
        "mask, bears the name of a "
        "place, or correlates with where the picture's contents stand (over 0.3)"
    ),
    remedies=(
        Remedy(
            "transform both", "Apply the same flip, turn or shift to the box, mask or key points, in the same branch."
        ),
        Remedy("check with the eye", "Draw targets onto augmented pictures before training."),
    ),
    sources=(
        "Karpathy 2019, A Recipe for Training Neural Networks: labels that were not flipped with the image",
        "torchvision.transforms.v2: tensors of boxes and masks that travel with the image",
    ),
)
PLACES = re.compile(
    r"box|bbox|mask|seg|key_?p|kpt|landmark|corner|cent(er|re)|coord|position|pose|angle|steer|heat|joint|locat|contour|polygon|depth|flow",
    re.I,
)
TIED = 0.3


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Reads what is done to pictures and targets, and asks whether targets tell places."""
    model = case.models[0]
    data = case.data(model)
    if len(data.shape) not in (2, 3) or data.counts:
        raise NotSeen("the inputs are no pictures")
    for loss in case.losses()[:3]:
        dense = _dense(loss, data.shape)
        if not dense and (loss.function not in REGRESSION_LOSSES or loss.target_is_integer):
            continue
        targets = case.lines.targets(loss) or case.lines.companions(model)
        step = lonely_geometry(case.lines.inputs(model), targets, case.lines.flow)
        if step is None:
            continue
        why = _why(case, model, targets, dense)
        if why is None:
            continue
        yield FAULT.found(
            f"line {step.line} changes where things stand in the picture ({_short(step)}), and nothing is "
            f"done to the target, {why}",
            where=case.line(step.line),
            certainty=0.92,
            change=f"Do to the target what line {step.line} does to the picture, under the same condition.",
        )
        return


def _dense(loss: LossSeen, shape: tuple[int, ...]) -> bool:
    """Whether targets are pictures themselves, one value a pixel."""
    sample = next((s for s in loss.samples if s.target is not None and s.moment == "train"), None)
    return (
        sample is not None
        and sample.target is not None
        and len(sample.target.shape) >= 3
        and sample.target.shape[-2:] == shape[-2:]
    )


def _why(case: Case, model: ModelSeen, targets: list[Step], dense: bool) -> str | None:
    """Why the target must follow the picture."""
    if dense:
        return "which holds a value for each pixel"
    data = case.data(model)
    held = tied_to_place(data, data.held_out)
    seen = tied_to_place(data, data.train)
    strongest = max(held or 0.0, seen or 0.0)
    if strongest > TIED:
        beside = f" ({seen:.2f} in training)" if held is not None and seen is not None and held > seen + 0.1 else ""
        return f"which tells where things stand: it correlates by {strongest:.2f} with the place of the picture's contents{beside}"
    names = [part for s in targets[:8] for part in re.findall(r"[A-Za-z_]+", s.text) if PLACES.search(part)]
    return f"which by its name, {names[0]}, belongs to a place" if names and held is None else None


def _short(step: Step) -> str:
    text = " ".join(step.text.split())
    return text if len(text) < 70 else text[:67] + "..."
