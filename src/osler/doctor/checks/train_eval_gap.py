"""The network means another thing in evaluation than in training: the same data give another answer."""

import ast
import math
from collections.abc import Iterator
from typing import Any

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.modes import is_norm
from osler.doctor.performance import evaluation_accuracy, evaluation_loss, training_accuracy
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LayerSeen, ModelSeen

FAULT = Fault(
    name="train-eval-gap",
    category="evaluation",
    phase="after",
    title="Training and evaluation mode disagree",
    symptom="The training loss is fine; in evaluation mode even the training data are answered wrongly.",
    cause=(
        "What a layer does in training must have the same mean as what it does in evaluation. A hand-made dropout that "
        "does not divide by the share it keeps makes activations larger in evaluation by 1/(1-p), at each such layer "
        "anew; "
        "a batch normalisation whose running statistics lag behind normalises otherwise than in training."
    ),
    seen_by=(
        "the mean output of six training passes beside an evaluation pass on the same samples: layers that change "
        "the mean by more than a tenth, four standard errors at least"
    ),
    remedies=(
        Remedy("keep the mean", "Divide by the share that is kept, or use `nn.Dropout`, which does."),
        Remedy(
            "let the statistics catch up",
            "Give batch normalisation a larger momentum or more steps, or re-estimate its statistics at the end.",
        ),
    ),
    sources=(
        "Srivastava et al. 2014, section 10: units are scaled so that training and test agree",
        "Foo, Phon-Amnuaisuk 2022 (TheDeepChecker): outputs in both modes compared",
        "PyTorch forum threads on eval() giving high error (pytorch#4741, #5406)",
    ),
)  # fmt: skip


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Reads the trial that lays both modes beside each other."""
    trials = case.probes.get("mode gap")
    if not trials:
        raise NotSeen("the network could not be tried in both modes")
    for model in case.models:
        seen = trials.get(model.name)
        if seen is None or seen["first"] is None or seen["random evaluation"] > thresholds.RANDOM_EVALUATION:
            continue
        found = list(_hand_made(case, model, seen)) or list(_first_difference(case, model, seen))
        yield from found or _norms(case, model, seen)


def _hand_made(case: Case, model: ModelSeen, seen: dict[str, Any]) -> Iterator[Finding]:
    """Layers without parameters that scale their input otherwise in training."""
    layers = [n for n, (training, error, still) in seen["gains"].items() if _differs(training, error, still)]
    layers = [n for n in layers if n in model.layers and model.layers[n].kind in case.script.classes()]
    if not layers:
        return
    at_input = model.layers[layers[0]].order in (0, 1) and len(layers) == 1
    worse = _worse(case, model)
    training, _, still = seen["gains"][layers[0]]
    yield FAULT.found(
        f"{_several(layers)} let through {training:.2f} of the input on average in training and {still:.2f} in "
        f"evaluation, so that activations are {still / max(training, 1e-9):.1f} times as large in evaluation {worse}".strip(),
        severity="critical" if worse or not at_input else "note",
        where=case.line(_line_in_class(case, model.layers[layers[0]]), layers[0]),
        certainty=0.93 if worse else 0.75,
        change=(
            f"Divide by the share that is kept in `{model.layers[layers[0]].kind}` (here by {training:.2f}), or use "
            f"nn.Dropout."
        ),
    )


def _first_difference(case: Case, model: ModelSeen, seen: dict[str, Any]) -> Iterator[Finding]:
    """What is written out in a forward shows at the next layer with weights."""
    gain, error = seen["first gain"]
    layer = model.layers.get(seen["first"])
    if layer is None or not layer.parameters or is_norm(model, layer.name) or not _differs(gain, error, 1.0):
        return
    worse, line = _worse(case, model), _asks_for_mode(case)
    first = next((x.name for x in case.layers(model) if x.parameters), None)
    if line is None or not (worse or layer.name != first):
        return  # what changes the input of the first layer alone may be augmentation
    yield FAULT.found(
        f"what {layer.name} is given gives {gain:.2f} of the output on average in training that it gives in "
        f"evaluation, on "
        f"the same samples {worse}".strip(),
        severity="critical" if worse else "warning",
        where=case.line(line, layer.name),
        certainty=0.85 if worse else 0.75,
    )


def _norms(case: Case, model: ModelSeen, seen: dict[str, Any]) -> Iterator[Finding]:
    """Statistics that were kept are not those of the batches."""
    first = next((x.name for x in case.layers(model) if is_norm(model, x.name)), None)
    agreement = seen["agreement"]
    far = (
        agreement < thresholds.MODES_ANSWER_ALIKE
        if not math.isnan(agreement)
        else seen["outputs"] > thresholds.MODES_APART
    )
    worse = _worse(case, model)
    if first is None or not far or not worse or seen["outputs"] < 4 * seen["noise"]:
        return
    shared = (
        f"only {agreement:.0%} of the answers are the same"
        if not math.isnan(agreement)
        else f"outputs differ by {seen['outputs']:.1f} times their spread"
    )
    yield FAULT.found(
        f"the same {'samples'} answered in training and in evaluation mode: {shared} {worse}; the network normalises "
        f"by "
        f"running statistics from {first} on",
        where=case.where(None, first),
        certainty=0.6,
        change=(
            "Let the running statistics catch up (larger momentum, more or larger batches), or re-estimate them at "
            "the end."
        ),
    )  # fmt: skip


def _differs(training: float, error: float, still: float) -> bool:
    return abs(training - still) > max(thresholds.MODE_GAIN * abs(still), 4 * error)


def _worse(case: Case, model: ModelSeen) -> str:
    """That the network does worse in evaluation than in training, in words; empty where it does not or was not seen to."""
    try:
        late = case.loss_part(0.9, 1.0)
    except NotSeen:
        late = None
    summed = any(x.counts["evaluate"] and x.options.get("reduction") == "sum" for x in case.evidence.losses)
    loss = evaluation_loss(case, model) if not summed else None
    if late is not None and len(late) and loss is not None:
        end = float(loss.values[-3:].mean())
        if end > thresholds.WORSE_IN_EVALUATION * float(late.mean()) > 0:
            return f"(loss at the end {late.mean():.3g} in training, {end:.3g} in evaluation)"
    train, other = training_accuracy(case, model), evaluation_accuracy(case, model)
    if (
        train
        and other
        and train.value - other.value > thresholds.WORSE_ACCURACY + 3 * math.sqrt(train.variance + other.variance)
    ):
        return f"(accuracy at the end {train.value:.0%} in training, {other.value:.0%} in evaluation)"
    return ""


def _line_in_class(case: Case, layer: LayerSeen) -> int | None:
    """The line of a layer's forward that makes the training output: in `if self.training`, else the last return."""
    node = case.script.classes().get(layer.kind)
    forward = (
        next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "forward"), None) if node else None
    )
    if forward is None:
        return layer.site.line if layer.site else None
    asking = [n for n in ast.walk(forward) if isinstance(n, ast.If) and ".training" in ast.unparse(n.test)]
    positive = [n for n in asking if not ast.unparse(n.test).startswith("not ")]
    if positive:
        return positive[0].body[-1].lineno
    returns = [n.lineno for n in ast.walk(forward) if isinstance(n, ast.Return)]
    return max(returns, default=forward.lineno)


def _asks_for_mode(case: Case) -> int | None:
    """The line under the first `if self.training` of a forward."""
    for node in ast.walk(case.script.tree):
        if isinstance(node, ast.If) and ".training" in ast.unparse(node.test):
            body = node.orelse if ast.unparse(node.test).startswith("not ") and node.orelse else node.body
            return body[-1].lineno
        if isinstance(node, ast.IfExp) and ".training" in ast.unparse(node.test):
            return node.lineno
    return case.script.first_line("rand_like", "bernoulli", "bernoulli_")


def _several(layers: list[str]) -> str:
    return layers[0] if len(layers) == 1 else f"{', '.join(layers[:-1])} and {layers[-1]}"
