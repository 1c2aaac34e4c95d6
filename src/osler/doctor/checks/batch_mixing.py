"""A sample's answer that depends on the other samples of its batch."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.loss_course import why_not_plain
from osler.doctor.script_reading import CallRead
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import ModelSeen

FAULT = Fault(
    name="batch-mixing",
    category="model",
    phase="after",
    title="Samples of a batch are mixed",
    symptom="Training goes slowly or looks too good; answers change with the batch's size and with what else is in it.",
    cause=(
        "A view or reshape where a transpose was meant moves values between samples, or a recurrent or attention layer that "
        "takes time first is given the batch first, so that it runs along the batch."
    ),
    seen_by="in evaluation mode, replacing one sample changes the outputs of others, where outputs and labels are one a sample",
    remedies=(
        Remedy("batch_first", "Create the layer with batch_first=True, or transpose the first two axes before it."),
        Remedy(
            "transpose instead of view",
            "Use transpose or permute to change the order of axes; view only where the order stays.",
        ),
    ),
    sources=(
        "Karpathy 2019, A Recipe for Training Neural Networks: use backprop to chart dependencies",
        "Lightning Bolts, BatchGradientVerification; Braiek, Khomh 2023 (TheDeepChecker), independence of instances",
    ),
)

BATCH_FIRST = ("RNN", "LSTM", "GRU", "MultiheadAttention", "TransformerEncoderLayer", "TransformerEncoder",
               "TransformerDecoderLayer", "Transformer")  # fmt: skip
MOVING = ("view", "reshape", "permute", "transpose", "swapaxes", "flatten", "unflatten", "rearrange", "roll", "movedim")
OVER_BATCH = ("mean", "sum", "max", "softmax", "cumsum", "sort", "flip", "cat", "norm", "normalize")


@dataclass(frozen=True, slots=True)
class Culprit:
    """What mixes: a layer, or an operation of the script at a line before a layer."""

    where: Where
    told: str
    change: str | None = None


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the trial in which one sample of a batch was replaced."""
    trials = case.probes.get("batch mixing", {})
    if not trials:
        raise NotSeen("no network could be tried with one sample replaced")
    if why_not_plain(case) in ("several optimizers take turns", "several losses take turns"):
        return  # a critic may look at a whole batch on purpose
    for model in case.models:
        trial = trials.get(model.name)
        if trial is None or not _axis_is_samples(case, model, int(trial["batch"])) or _mixes_on_purpose(model):
            continue
        moved = trial["others"] / max(trial["spread"], 1e-12)
        noise = thresholds.MIXED_ABSOLUTE + 3 * trial.get("again", 0.0)
        if not (trial["others"] > noise and moved > thresholds.MIXED):
            continue
        culprit = _culprit(case, model)
        sure = culprit is not None or moved > thresholds.MIXED_MUCH
        yield FAULT.found(
            f"replacing one sample of a batch moves the outputs of other samples by {moved:.2g} of the spread between outputs, in "
            f"evaluation mode too: samples are mixed{culprit.told if culprit else ''}",
            severity="critical" if sure else "note",
            where=culprit.where if culprit else case.line(_line_in_forward(case, MOVING + OVER_BATCH)),
            certainty=0.96 if culprit else 0.8,
            change=culprit.change if culprit else None,
        )


def _axis_is_samples(case: Case, model: ModelSeen, batch: int) -> bool:
    """Whether the input's first axis holds samples: labels come one for each, and it is not the time of a sequence."""
    pairs = [(len(p), x) for p, x in zip(model.train.picks, model.train.labels, strict=True) if x is not None]
    by_loader = any(loader.batch_size == batch for loader in case.evidence.loaders)
    if batch < 2 or not (pairs or by_loader) or any(size != len(labels) for size, labels in pairs):
        return False
    shapes = {c.inputs[0].shape for c in model.calls if c.moment == "train" and c.inputs}
    square = any(len(s) > 2 and s[0] == s[1] for s in shapes)
    per_step = any(
        labels.ndim > 1 and labels.shape[1] > 1 and any(len(s) > 1 and s[1] == labels.shape[1] for s in shapes)
        for _, labels in pairs
    )
    sequential = any(x.kind in BATCH_FIRST for x in case.layers(model))
    return by_loader or not (sequential and (square or per_step))


def _mixes_on_purpose(model: ModelSeen) -> bool:
    """Statistics of the batch in evaluation too, or an output that compares samples with each other."""
    unkept = any(x.options.get("track_running_stats") is False and "Batch" in x.kind for x in model.layers.values())
    outputs = [c.output.shape for c in model.calls if c.moment == "train" and c.output is not None and c.inputs]
    given = [c.inputs[0].shape[:1] for c in model.calls if c.moment == "train" and c.output is not None and c.inputs]
    pairs = [o for o, g in zip(outputs, given, strict=True) if len(o) == 2 and g and o[0] == o[1] == g[0]]
    return unkept or (len(set(outputs)) > 0 and len(pairs) == len(outputs))


def _culprit(case: Case, model: ModelSeen) -> Culprit | None:
    """The first layer that mixes, or the operation before the first layer that is given mixed samples."""
    passed: list[dict[str, Any]] = case.probes.get("mixing layers", {}).get(model.name, [])
    before: str | None = None
    for entry in passed:
        if entry["given"]:
            return _operation(case, model, before, entry["layer"])
        if entry["made"]:
            return _layer(case, model, entry["layer"], entry["kind"])
        before = entry["layer"]
    suspect = next(
        (x for x in case.layers(model) if x.kind in BATCH_FIRST and x.options.get("batch_first") is False), None
    )
    if suspect is not None:
        return _layer(case, model, suspect.name, suspect.kind)
    return _operation(case, model, before, None) if passed else None


def _layer(case: Case, model: ModelSeen, name: str, kind: str) -> Culprit | None:
    layer = model.layers.get(name)
    if kind in BATCH_FIRST:
        owner = name.rpartition(".")[0] if kind == "MultiheadAttention" and _inside_encoder(model, name) else name
        made = model.layers.get(owner) or layer
        return Culprit(
            case.where(made.site if made else None, owner),
            f"; {owner} ({made.kind if made else kind}) takes the time axis first and is given the batch "
            "first, so that it runs along the batch",
            f"Create {owner} with batch_first=True, or transpose the first two axes before and after it.",
        )
    own = _line_in_forward(case, MOVING + OVER_BATCH, kind) if kind in case.script.classes() else None
    where = case.line(own, name) if own else case.where(layer.site if layer else None, name)
    return Culprit(where, f"; they are apart before {name} and mixed after it")


def _inside_encoder(model: ModelSeen, name: str) -> bool:
    parent = model.layers.get(name.rpartition(".")[0])
    return parent is not None and parent.kind in BATCH_FIRST


def _operation(case: Case, model: ModelSeen, before: str | None, after: str | None) -> Culprit | None:
    """The line in forward that moves values between the calls of two layers."""
    first, last = _called(case, before) or 0, _called(case, after) or 10**9
    if first > last:
        first, last = 0, 10**9
    line = _line_in_forward(case, MOVING + OVER_BATCH, None, first, last)
    if line is None:
        return None
    place = f"before {after}" if after else f"after {before}"
    return Culprit(
        case.line(line, after or before),
        f"; they are mixed at line {line}, {place}, where values are moved between samples",
        f"Use transpose or permute at line {line} to change the order of axes; keep the first axis as it is.",
    )


def _called(case: Case, name: str | None) -> int | None:
    """The line in a method at which the layer, or the part of the network that it stands in, is called."""
    attribute = f"self.{name.partition('.')[0]}" if name else ""
    return next(
        (c.line for c in case.script.calls if c.name == attribute and not c.function.endswith("__init__")), None
    )


def _line_in_forward(
    case: Case, names: tuple[str, ...], kind: str | None = None, first: int = 0, last: int = 10**9
) -> int | None:
    """The last line of a forward, between two lines, at which one of these is called."""
    calls = [
        c
        for c in case.script.calls_of(*names)
        if c.function.rpartition(".")[2] not in ("", "__init__")
        and "." in c.function
        and first <= c.line <= last
        and (kind is None or c.function.startswith(f"{kind}."))
    ]
    return max(calls, key=lambda c: (_suspicion(c), c.line)).line if calls else None


def _suspicion(call: CallRead) -> int:
    """How likely a call moves values along the first axis: 2 where it names that axis, 0 where it keeps it."""
    text = call.text()
    arguments = [ast.unparse(a) for a in (*call.node.args, *(k.value for k in call.node.keywords))]
    if call.last in ("view", "reshape"):
        first = arguments[0] if arguments else ""
        if first.startswith("torch.") or "." not in call.name:
            first = arguments[1] if len(arguments) > 1 else ""
        kept = any(word in first for word in ("size(0)", "shape[0]", "len(", "-1", "batch", "bs")) or first in (
            "b",
            "B",
            "n",
            "N",
        )
        return 0 if kept else 2
    if call.last in ("transpose", "permute", "swapaxes", "movedim"):
        return 2 if ("0" in arguments[:2] and arguments[:1] != ["0"]) or {"0", "1"} <= set(arguments[:2]) else 0
    if call.last in OVER_BATCH:
        named = arguments[-1:] == ["0"] or "dim=0" in text or "axis=0" in text
        return 2 if named else 0
    return 1 if call.last in ("rearrange", "roll") else 0
