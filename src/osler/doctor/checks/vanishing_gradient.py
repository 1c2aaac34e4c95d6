"""Gradients that are all but gone when they reach the first layers, or the first steps of a sequence."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.gradient_course import over_calls, over_layers
from osler.doctor.loss_course import why_not_plain
from osler.doctor.loss_left import has_learnt
from osler.structures.finding import Finding, Remedy, Series
from osler.vitals.activations import SIGMOIDS, TANHS
from osler.vitals.evidence import LayerSeen, ModelSeen, Site

FAULT = Fault(
    name="vanishing-gradient",
    category="optimisation",
    phase="during",
    title="Gradients vanish towards the input",
    symptom="Early layers hardly change; a deep or recurrent network learns as if it were shallow, or forgets what came first.",
    cause=(
        "On its way back a gradient is multiplied by each layer's slope and weights. A sigmoid's slope is at most a quarter; over "
        "many layers or time steps the product goes to nothing."
    ),
    seen_by="the first layer's gradient is under a thousandth of the last one's in root mean square, or that of "
    "a cell's first call "
    "under a thousandth of its last one's, while the loss has not been learnt",
    remedies=(
        Remedy(
            "another activation",
            "Use ReLU or one of its family in place of sigmoid or tanh; in a recurrent cell tanh with gates.",
        ),
        Remedy("normalise", "Put batch norm or layer norm between the layers."),
        Remedy("shortcuts", "Add residual connections, or use LSTM or GRU for sequences."),
        Remedy("initialise", "Use He's initialisation for ReLU, Glorot's for tanh."),
    ),
    sources=(
        "Bengio, Simard, Frasconi 1994; Hochreiter et al. 2001",
        "Zhang et al. 2021 (AutoTrainer): first over last below 1e-3; Amazon SageMaker Debugger: mean below 1e-7",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at gradients over layers, over the calls of recurrent cells, and over the steps of recurrent layers."""
    if why_not_plain(case) is not None or has_learnt(case, thresholds.LEARNT_THOUGH_VANISHED):
        return
    for model in case.models:
        if model.loaded:
            continue
        found = _over_time(case, model) or _over_steps(case, model) or _over_layers(case, model)
        if found is not None:
            yield found
            return


def _over_layers(case: Case, model: ModelSeen) -> Finding | None:
    course = over_layers(case, model)
    squashing = _squashing(case, model)
    deep_squashing = len(squashing) >= thresholds.SQUASHING_TO_VANISH
    limit = thresholds.VANISHED_SQUASHING if deep_squashing else thresholds.VANISHED
    if course is None or len(course.names) < thresholds.LAYERS_TO_VANISH or not course.ratio < limit:
        return None
    if course.early == 0 and not squashing:
        return None  # units are dead, which is told of them
    return FAULT.found(
        f"the gradient of {course.names[0]} is {course.early:.2g} (root mean square), that of "
        f"{course.names[-1]} {course.late:.2g}: "
        f"{course.ratio:.1g} of it is left over {len(course.names)} layers with weights"
        + (f", of which {len(squashing)} are followed by {squashing[0].kind.lower()}" if squashing else ""),
        where=case.where(squashing[0].site if squashing else None, course.names[0]),
        certainty=0.82 if deep_squashing else 0.74,
        series=_series(model, course.names),
    )


def _over_time(case: Case, model: ModelSeen) -> Finding | None:
    """A cell whose first calls in a step get next to no gradient."""
    for layer in case.layers(model):
        if not layer.parameters:
            continue
        calls = over_calls(case, layer)
        if calls is None:
            continue
        count, first, last = calls
        if count >= thresholds.CALLS_TO_VANISH and last > 0 and first < thresholds.VANISHED * last:
            squashing = [x for x in _squashing(case, model) if over_calls(case, x) is not None]
            cell = layer.name.rpartition(".")[0] or layer.name
            return FAULT.found(
                f"{layer.name} runs {count} times in a step; the gradient at its first run is {first:.1g}, at its last {last:.1g}: "
                "what came first cannot be learnt",
                where=case.where(_site(squashing, layer), cell),
                certainty=0.86,
            )
    return None


def _over_steps(case: Case, model: ModelSeen) -> Finding | None:
    """A recurrent layer of PyTorch's, by the trial with a gradient of the output at each step of the input."""
    trial = case.probes.get("time gradient", {}).get(model.name)
    if trial is None or trial["steps"] < thresholds.CALLS_TO_VANISH or not trial["last"] > 0:
        return None
    if not trial["first"] < thresholds.VANISHED * trial["last"]:
        return None
    return FAULT.found(
        f"a change at the first quarter of the {trial['steps']} steps that {trial['layer']} reads moves the output by "
        f"{trial['first'] / trial['last']:.1g} of what one at the last quarter does: what came first cannot be learnt",
        where=case.where(None, trial["layer"]),
        certainty=0.76,
    )


def _squashing(case: Case, model: ModelSeen) -> list[LayerSeen]:
    """Hidden sigmoids and tanhs."""
    layers = case.layers(model)
    last = max((x.order or 0 for x in layers if x.parameters), default=0)
    return [x for x in layers if x.kind in SIGMOIDS | TANHS and (x.order or 0) < last]


def _site(squashing: list[LayerSeen], layer: LayerSeen) -> Site | None:
    return next((x.site for x in squashing if x.site is not None), layer.site)


def _series(model: ModelSeen, names: tuple[str, ...]) -> tuple[Series, ...]:
    layer = model.layers[names[0]]
    pairs = [(s.step, s.gradient_rms) for s in layer.samples if s.gradient_rms == s.gradient_rms]
    return (Series(f"gradient at {names[0]}", tuple(s for s, _ in pairs), tuple(v for _, v in pairs)),) if pairs else ()
