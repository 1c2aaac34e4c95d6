"""What the errors of PyTorch mean in a program's own numbers, and what to change. Each takes the match of the error's text."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from osler.doctor.case import Case
from osler.vitals.evidence import LayerSeen


@dataclass(frozen=True)
class Reading:
    """What an error means. `at_layer`: the line to change is where the layer is made, not where the error came up."""

    cause: str
    change: str
    fault: str = "crash"
    at_layer: bool = False


Read = Callable[["re.Match[str]", "LayerSeen | None", Case], Reading]


def _name(layer: LayerSeen | None) -> str:
    if layer is None:
        return "a layer"
    return f"layer {layer.name} ({layer.kind})" if layer.name else f"{layer.kind} at the top"


def matrices(match: "re.Match[str]", layer: LayerSeen | None, case: Case) -> Reading:
    """A linear layer that is given another number of values than it was made for."""
    rows, given, wanted, out = (int(match[k]) for k in (1, 2, 3, 4))
    wanted = int(layer.options.get("in_features", wanted)) if layer is not None else wanted
    if rows * given % wanted == 0 and rows > rows * given // wanted:
        before = layer.name if layer is not None else "the layer"
        return Reading(
            f"{_name(layer)} takes {wanted} numbers a sample and is given rows of {given}: {rows} rows of {given} are "
            f"{rows * given // wanted} samples of {wanted} that were not flattened",
            f"Flatten each sample first: `x.flatten(1)`, or `nn.Flatten()` before {before}.",
        )
    return Reading(
        f"{_name(layer)} was made for {wanted} numbers a sample and is given {given}: its in_features does not fit "
        f"what comes before it",
        f"Write nn.Linear({given}, {layer.options.get('out_features', out) if layer is not None else out}) there.",
        at_layer=True,
    )


def channels(match: "re.Match[str]", layer: LayerSeen | None, case: Case) -> Reading:
    """A convolution that is given another number of channels."""
    shape = [int(n) for n in re.findall(r"\d+", match[1])]
    wanted, given = int(match[2]), int(match[3])
    what = f"{_name(layer)} takes {wanted} channels and is given {given} (input {shape})"
    if len(shape) == 4 and shape[-1] == wanted:
        return Reading(f"{what}: the channels stand last", "Put them first: `x.permute(0, 3, 1, 2)`.")
    if len(shape) == 3 and wanted == 1:
        return Reading(
            f"{what}: the axis of channels is missing, so samples are taken for channels", "Add it: `x.unsqueeze(1)`."
        )
    return Reading(
        what, f"Make the layer with in_channels={given}, or give it inputs of {wanted} channels.", at_layer=True
    )


def image(match: "re.Match[str]", layer: LayerSeen | None, case: Case) -> Reading:
    """A picture without its axes of samples or channels."""
    shape = [int(n) for n in re.findall(r"\d+", match[2])]
    return Reading(
        f"{_name(layer)} takes pictures [batch, channels, height, width] and is given {shape}",
        "Reshape the batch: `x.view(-1, channels, height, width)`, or `x.unsqueeze(1)` where only the channel is "
        "missing.",
    )


def label(match: "re.Match[str]", layer: LayerSeen | None, case: Case) -> Reading:
    """A label beyond the classes."""
    label = int(match[1])
    widths = [s.input.shape[1] for x in case.evidence.losses for s in x.samples if len(s.input.shape) > 1]
    last = next(
        (c.output.shape[1] for m in case.evidence.models for c in m.calls if c.output and len(c.output.shape) > 1), None
    )
    classes = widths[-1] if widths else last
    known = f" while the network has {classes} outputs (classes 0 to {classes - 1})" if classes else ""
    hint = "count labels from 0 (`y - 1`)" if classes is not None and label == classes else "check what the labels are"
    return Reading(
        f"the loss met the label {label}{known}",
        f"Either {hint}, or give the last layer an output for each class.",
        fault="label-out-of-range",
    )


def embedding(match: "re.Match[str]", layer: LayerSeen | None, case: Case) -> Reading:
    """An index beyond a table."""
    size = layer.options.get("num_embeddings") if layer is not None else None
    return Reading(
        f"{_name(layer)} was asked for an index beyond its table"
        + (f" of {size} rows (0 to {size - 1})" if size else ""),
        "Make the table as large as the largest index plus one, or check the indices (padding and unknown words too).",
        at_layer=layer is not None,
    )


def too_small(match: "re.Match[str]", layer: LayerSeen | None, case: Case) -> Reading:
    """A picture smaller than the window."""
    return Reading(
        f"the picture has become smaller than the window of {_name(layer)}: {match[0][:120]}",
        "Use fewer pooling or strided layers, padding, or larger pictures.",
        fault="spatial-collapse",
        at_layer=True,
    )


def one_value(match: "re.Match[str]", layer: LayerSeen | None, case: Case) -> Reading:
    """Batch normalisation of a single sample."""
    return Reading(
        f"{_name(layer)} normalises over the batch and was given a single sample (input {match[1]}): the last batch "
        f"of an epoch, if not all",
        "Leave out a last batch of one: `DataLoader(..., drop_last=True)`, or use a batch size that does not leave "
        "one over.",
        fault="small-batch-norm",
    )


def no_gradient(match: "re.Match[str]", layer: LayerSeen | None, case: Case) -> Reading:
    """A loss through which no gradient runs."""
    return Reading(
        "`backward` was called on a loss through which no gradient runs: it was computed under no_grad, from "
        "detached or rebuilt "
        "tensors (`.item()`, `.numpy()`, `torch.tensor(...)`, `argmax`), or all parameters are frozen",
        "Compute the loss from the network's outputs themselves, outside of no_grad.",
        fault="detached-graph",
    )


def probabilities(match: "re.Match[str]", layer: LayerSeen | None, case: Case) -> Reading:
    """Probabilities that are none."""
    bad = any(s.input.bad for x in case.losses("binary_cross_entropy") for s in x.samples)
    if bad:
        return Reading(
            "binary_cross_entropy was given NaN", "Find where the first NaN comes from.", fault="non-finite-loss"
        )
    return Reading(
        "binary_cross_entropy takes probabilities and was given values below 0 or above 1",
        "Use binary_cross_entropy_with_logits, or a sigmoid before the loss.",
        fault="logits-into-probability-loss",
    )


def empty_optimizer(match: "re.Match[str]", layer: LayerSeen | None, case: Case) -> Reading:
    """An optimizer without parameters."""
    return Reading(
        "the optimizer was given no parameters: the network has none that it knows of, as when its layers stand in a "
        "plain "
        "Python list, or its parameters were used up by an iterator before",
        "Hold layers in nn.ModuleList or nn.Sequential, and pass `model.parameters()` anew.",
        fault="unregistered-layers"
        if re.search(r"self\.\w+ *= *\[", case.evidence.source)
        else "optimizer-misses-parameters",
    )


def sizes(match: "re.Match[str]", layer: LayerSeen | None, case: Case) -> Reading:
    """Two tensors that do not fit."""
    inside = f" in {_name(layer)}" if layer is not None else ""
    return Reading(
        f"two tensors{inside} of {match[1]} and {match[2]} values along axis {match[3]} were put together",
        "Print both shapes before that line; a transposed axis, a missing flatten, or a layer of another width is "
        "the usual reason.",
    )


def batch_sizes(match: "re.Match[str]", layer: LayerSeen | None, case: Case) -> Reading:
    """Another number of answers than of labels."""
    given, wanted = int(match[1]), int(match[2])
    why = (
        "a `view(-1, n)` with the wrong n cuts samples into pieces" if given > wanted else "an axis of samples was lost"
    )
    return Reading(
        f"the loss was given {given} answers for {wanted} labels: {why}",
        "Flatten with `x.flatten(1)`, which keeps the samples, and let the next layer take what that gives.",
    )


def view(match: "re.Match[str]", layer: LayerSeen | None, case: Case) -> Reading:
    """A shape of another number of values."""
    return Reading(
        f"a tensor of {int(match[2]):,} values cannot take the shape [{match[1]}]",
        "Flatten with `x.flatten(1)`, which needs no number, and set the next layer's in_features to what that gives.",
    )


def said(cause: str, change: str, fault: str = "crash", at_layer: bool = False) -> Read:
    """A reading that needs no numbers; `{0}` is the error's own text, `{layer}` the layer."""

    def read(match: "re.Match[str]", layer: LayerSeen | None, case: Case) -> Reading:
        return Reading(cause.replace("{layer}", _name(layer)).replace("{0}", match[0][:160]), change, fault, at_layer)

    return read
