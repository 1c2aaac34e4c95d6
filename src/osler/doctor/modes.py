"""Training and evaluation mode: which layers of a network care, and where the mode is set."""

from collections import Counter

from osler.doctor.case import Case
from osler.doctor.training_loop import enclosing_function
from osler.vitals.evidence import ModelSeen, Moment

REPEATS = 3  # calls on the very same input from which an average over chance is taken to be meant


def changing_layers(case: Case, model: ModelSeen) -> list[str]:
    """The layers that work otherwise in training than in evaluation, by name; dropout of rate 0 does not.

    Where none is known by its kind, what the trial after the run saw to differ (a hand-made layer that asks for its mode).
    """
    names = [layer.name for layer in model.layers.values() if _cares(layer.kind, layer.options)]
    seen = case.probes.get("mode gap", {}).get(model.name)
    if not names and seen and seen["first"] is not None and seen["random evaluation"] == 0:
        names = [seen["first"]]
    return names


def is_norm(model: ModelSeen, name: str) -> bool:
    """Whether that layer normalises by the statistics of batches."""
    return name in model.layers and "BatchNorm" in model.layers[name].kind


def _cares(kind: str, options: dict[str, object]) -> bool:
    if "Dropout" in kind:
        rate = options.get("p", 0.5)
        return not isinstance(rate, (int, float)) or rate > 0
    if kind == "dropout":
        return bool(options.get("training", True)) and bool(options.get("p", 0.5))
    if "BatchNorm" in kind:
        return bool(options.get("track_running_stats", True))
    return bool(isinstance(rate := options.get("dropout"), float) and rate > 0)


def multiple_passes(model: ModelSeen, moment: Moment) -> bool:
    """Whether the network is mostly called several times on the very same input at one step: to average over chance."""
    inputs = Counter(
        (c.step, c.inputs[0].shape, c.inputs[0].mean, c.inputs[0].std)
        for c in model.calls
        if c.moment == moment and c.inputs
    )
    repeated = sum(n for n in inputs.values() if n >= REPEATS)
    return bool(inputs) and repeated > 0.5 * inputs.total()


def mode_call(case: Case, name: str, model: ModelSeen) -> int | None:
    """The line of the call of `eval` (or `train(False)`) that rules the training; of several that without a `train` after it."""
    calls = [c for c in case.script.calls_of(name) if not c.node.args]
    calls += [c for c in case.script.calls_of("train") if "False" in c.text()]
    calls = [c for c in calls if c.name.partition(".")[0] in _owners(model)] or calls

    def set_back(line: int) -> bool:
        function = enclosing_function(case.script, line)
        first, last = (function.lineno, function.end_lineno or 10**9) if function else (0, 10**9)
        return any(c.line > line for c in case.script.calls_of("train") if first <= c.line <= last)

    open_ones = [c for c in calls if not set_back(c.line)]
    return next((c.line for c in open_ones or calls), None)


def _owners(model: ModelSeen) -> tuple[str, ...]:
    return (model.name, "self", "model", "net", "network")
