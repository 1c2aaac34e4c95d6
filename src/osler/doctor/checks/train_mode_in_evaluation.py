"""Evaluation runs in training mode: units are dropped, and the batch's own statistics are used, while validating."""

import ast
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.modes import changing_layers, is_norm, multiple_passes
from osler.doctor.script_reading import CallRead
from osler.doctor.training_loop import enclosing_function, evaluation_line
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import Answers, ModelSeen, Site

FAULT = Fault(
    name="train-mode-in-evaluation",
    category="evaluation",
    phase="during",
    title="Evaluation runs in training mode",
    symptom=(
        "The validation figures are worse than the network is, differ from run to run, and depend on the batch size."
    ),
    cause=(
        "Without `model.eval()` dropout goes on dropping units, so that a weakened network is judged; batch "
        "normalisation "
        "takes the statistics of the validation batch, and lets them into those that it keeps for later."
    ),
    seen_by=(
        "passes over data not trained on, without gradients, while the network (with dropout or batch normalisation "
        "in it) was in training mode"
    ),
    remedies=(
        Remedy(
            "call eval()", "Call `model.eval()` before the evaluation, and `model.train()` before training goes on."
        ),
        Remedy(
            "bind dropout to the mode",
            "Give `F.dropout` the argument `training=self.training`, or use an `nn.Dropout` made in the constructor.",
        ),
    ),
    sources=(
        "PyTorch documentation, Module.eval; functional.dropout (its default is training=True)",
        "Gal, Ghahramani 2016: several passes with dropout, averaged, are another thing and are let be",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the mode of evaluation passes, and for dropout that no mode switches off."""
    for model in case.models:
        layers = changing_layers(case, model)
        if multiple_passes(model, "evaluate") or case.script.calls_of("update_bn"):
            continue
        found = [_finding(case, model, layers, passes) for passes in _by_line(case, model) if layers and _wrong(passes)]
        yield from found or _always_on(case, model)


def _by_line(case: Case, model: ModelSeen) -> list[list[Answers]]:
    """The passes that measure something on data not trained on, by the line that calls the network.

    To measure is to have labels or losses. Where no pass has them, and a figure was printed, few passes count as that too.
    """
    every = [a for a in case.evaluations(model) if a.step]
    passes = [a for a in every if a.judged or a.losses or a.errors]
    rare = len(every) <= thresholds.RARE_PASSES * max(1, case.evidence.steps)
    if not passes and rare and any(s.kind == "accuracy" or s.part == "evaluation" for s in case.printed.series):
        passes = every
    lines: dict[Site | None, list[Answers]] = {}
    for one in passes:
        lines.setdefault(one.site, []).append(one)
    return sorted(lines.values(), key=lambda group: -sum(a.samples for a in group))


def _wrong(passes: list[Answers]) -> bool:
    samples = sum(a.samples for a in passes)
    return sum(a.in_training_mode for a in passes) >= thresholds.WRONG_MODE_EVALUATION * samples > 0


def _finding(case: Case, model: ModelSeen, layers: list[str], passes: list[Answers]) -> Finding:
    samples, wrong = sum(a.samples for a in passes), sum(a.in_training_mode for a in passes)
    site = next((a.site for a in passes if a.in_training_mode and a.site is not None), None)
    line = evaluation_line(case.script, site) if site is not None else None
    norms = [name for name in layers if is_norm(model, name)]
    does = "drops units" if not norms else "uses the statistics of the batch at hand"
    return FAULT.found(
        f"{wrong:,} of {samples:,} evaluation samples, in {len(passes)} passes, were answered while {model.name} was "
        f"in "
        f"training mode, in which {layers[0]} {does}",
        where=case.line(line, layers[0]),
        certainty=0.95,
        change=f"Call `{model.name}.eval()` before the evaluation, and `{model.name}.train()` before training goes on.",
    )


def _always_on(case: Case, model: ModelSeen) -> Iterator[Finding]:
    """Dropout that evaluation mode does not switch off: called as a function without the mode, or made anew in forward."""
    seen = case.probes.get("mode gap", {}).get(model.name)
    if not seen or seen["random evaluation"] < thresholds.RANDOM_EVALUATION:
        return
    for call in case.script.calls_of("dropout", "dropout1d", "dropout2d", "alpha_dropout", "Dropout", "Dropout2d"):
        if _unbound(case, call):
            yield FAULT.found(
                f"in evaluation mode, two passes over the same samples differ by {seen['random evaluation']:.0%} of "
                f"the "
                f"spread of the outputs: `{call.text()[:60]}` drops units in evaluation too",
                where=case.line(call.line, seen["first random"]),
                certainty=0.93,
                change=(
                    "Add `training=self.training` to the call, or make an `nn.Dropout` in the constructor and call "
                    "that."
                ),
            )
            return


def _unbound(case: Case, call: CallRead) -> bool:
    """Whether a dropout is at work in every mode."""
    if call.last.startswith("Dropout"):
        function = enclosing_function(case.script, call.line)
        return function is not None and function.name != "__init__" and function.name.startswith("forward")
    given = (
        call.keyword("training") or call.keyword("train") or (call.node.args[2] if len(call.node.args) > 2 else None)
    )
    if call.name.startswith("self."):
        return False
    return given is None or (isinstance(given, ast.Constant) and given.value is True)
