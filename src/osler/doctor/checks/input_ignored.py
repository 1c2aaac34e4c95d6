"""Outputs that are the same whatever goes in."""

import ast
import math
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.layer_places import calling_line
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.activations import RELU_FAMILY, SIGMOIDS, TANHS
from osler.vitals.evidence import LayerSeen, ModelSeen

FAULT = Fault(
    name="input-ignored",
    category="model",
    phase="after",
    title="The output does not depend on the input",
    symptom="One answer for everything; the loss stops at what the best constant reaches.",
    cause=(
        "Somewhere on the way the input is replaced or multiplied by zero: a variable overwritten, a result not passed on, all "
        "units of a layer dead or equal, a softmax over a single unit."
    ),
    seen_by="outputs on real samples, on other samples and on zeros are equal within rounding, in evaluation mode",
    remedies=(
        Remedy("pass the input on", "Follow the input through forward, and use each layer's result in the next."),
        Remedy(
            "revive the layer",
            "If a layer is dead, start it anew with a lower learning rate, or use a leaky activation.",
        ),
    ),
    sources=(
        "Karpathy 2019, A Recipe for Training Neural Networks: input-independent baseline",
        "Braiek, Khomh 2023 (TheDeepChecker): run on zeroed inputs",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the trial with other inputs, and with zeros."""
    trials = case.probes.get("input ignored", {})
    if not trials:
        raise NotSeen("no network could be tried with other inputs")
    for model in case.models:
        trial = trials.get(model.name)
        first = [c for c in model.calls if c.moment == "train" and c.inputs and c.output is not None][:3]
        if trial is None or not first or not all(math.isfinite(v) for v in trial.values()):
            continue
        if any(c.inputs[0].std == 0 or c.inputs[0].bad or c.inputs[0].shape[:1] in ((), (1,)) for c in first):
            continue
        size = max(trial["size"], 1e-12)
        most = max(trial["zeros"], trial["others"])
        alike = all(_same_for_all(c.between_samples, c.output.std if c.output else 0.0) for c in first)
        differ = trial["spread"] > 1e3 * thresholds.IGNORED * size  # outputs do, though not with the input
        if most > thresholds.IGNORED * size or not (alike or differ):
            continue
        if _starts_alike(model) or _starts_dead(case, model) or _fades(case, model):
            continue  # that is told of the weights, or of the units
        layer = _first_constant(case, model)
        yield FAULT.found(
            f"other inputs, and zeros, move the outputs of {model.name} by at most {most:.2g}, where outputs are of size {size:.3g}"
            + (
                f"; from the first call on all {first[0].inputs[0].shape[0]} samples of a batch got the same answer"
                if alike
                else ""
            )
            + (f": what {layer.name} puts out does not depend on the sample" if layer and alike else ""),
            where=_where(case, model, layer),
            certainty=0.95,
        )


def _same_for_all(between: float, size: float) -> bool:
    return math.isnan(between) or between <= thresholds.IGNORED * max(size, 1e-12)


def _starts_alike(model: ModelSeen) -> bool:
    """Whether matrices are constant, or so small that the signal goes under in rounding."""
    matrices = [p for p in model.parameters.values() if len(p.shape) >= 2]
    return any(p.start.std * math.sqrt(math.prod(p.shape[1:])) < thresholds.LETS_NOTHING_THROUGH for p in matrices)


def _starts_dead(case: Case, model: ModelSeen) -> bool:
    """Whether an activation puts out zeros, or the ends of its range, for all that comes in, though that still varies."""
    layers = [x for x in case.layers(model) if x.samples]
    varies = True
    for layer in layers:
        if layer.kind in RELU_FAMILY | SIGMOIDS | TANHS and varies:
            first = [s for s in layer.samples[:6] if s.step == layer.samples[0].step]
            if any(s.output.zeros == 1 or s.saturated > thresholds.ALL_SATURATED for s in first):
                return True
        varies = layer.samples[0].between_samples > 0
    return False


def _fades(case: Case, model: ModelSeen) -> bool:
    """Whether the difference between samples goes under in rounding little by little, over layers that each weaken it."""
    ratios = [
        (s.between_samples / max(abs(s.output.mean) + s.output.std, 1e-12))
        for x in case.layers(model)
        if x.samples and not math.isnan((s := x.samples[0]).between_samples)
    ]
    gone = next((k for k, ratio in enumerate(ratios) if ratio <= thresholds.IGNORED), len(ratios))
    return 0 < gone < len(ratios) and ratios[gone - 1] < thresholds.FADED


def _first_constant(case: Case, model: ModelSeen) -> LayerSeen | None:
    """The first layer in the first training pass that puts out the same for all samples."""
    for layer in case.layers(model):
        if layer.samples and not math.isnan(layer.samples[0].between_samples):
            output = layer.samples[0].output
            if _same_for_all(layer.samples[0].between_samples, abs(output.mean) + output.std):
                return layer
    return None


def _where(case: Case, model: ModelSeen, layer: LayerSeen | None) -> Where:
    """The line in forward at which what depends on the sample is left: where its argument is overwritten, else the layer's call."""
    name = layer.name if layer is not None else None
    lost = _overwritten(case, model)
    if lost is not None:
        return case.line(lost, name)
    called = calling_line(case, name) if name else None
    if called is not None:
        return case.line(called, name)
    return case.where(layer.site if layer is not None and layer.site else model.site, name)


def _overwritten(case: Case, model: ModelSeen) -> int | None:
    """The first assignment of the network's forward that gives its input's name, or takes for it, what is not made of it."""
    function = case.script.functions().get(f"{model.kind}.forward")
    if function is None:
        return None
    given = {a.arg for a in function.args.args if a.arg != "self"}
    carried = set(given)
    for statement in function.body:
        for node in ast.walk(statement):
            if not isinstance(node, ast.Assign):
                continue
            read = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)} - {"self"}
            targets = {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
            if read & carried and not _only_shape(node.value, carried):
                carried |= targets
            elif targets & carried or _only_shape(node.value, carried):
                return node.lineno
    return None


def _only_shape(value: ast.expr, names: set[str]) -> bool:
    """Whether an expression reads of these names nothing but sizes and types, as `torch.zeros_like(x)` does."""
    made = [
        n for n in ast.walk(value) if isinstance(n, ast.Call) and ast.unparse(n.func).rpartition(".")[2] in _MADE_ANEW
    ]
    inside = {id(n) for call in made for n in ast.walk(call)}
    reads = [n for n in ast.walk(value) if isinstance(n, ast.Name) and n.id in names]
    return bool(made) and bool(reads) and all(id(n) in inside for n in reads)


_MADE_ANEW = (
    "zeros_like", "ones_like", "rand_like", "randn_like", "empty_like", "full_like", "zeros", "ones", "rand", "randn", "full",
    "new_zeros", "new_ones", "arange",
)  # fmt: skip
