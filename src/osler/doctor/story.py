"""What was seen, in sentences: they stand before the findings, so that a person sees what the doctor looked at."""

from osler.vitals.evidence import Evidence, ModelSeen, OptimizerSeen

ENDINGS = {
    "finished": "ran to its end",
    "exited": "left by sys.exit({code})",
    "crashed": "crashed",
    "budget": "was stopped when its budget was spent",
    "interrupted": "was interrupted",
}


def story(evidence: Evidence) -> list[str]:
    """The sentences, the run first."""
    how = ENDINGS[evidence.ending.how].format(code=evidence.ending.code)
    sentences = [f"It {how} after {evidence.seconds:.1f} s."]
    learning = evidence.trained_models
    sentences += [_network(model, len(evidence.optimizers)) for model in learning[:4]]
    sentences += [_optimizer(o) for o in evidence.optimizers[:4] if o.steps]
    sentences += [_data(model) for model in learning[:2] if model.calls]
    if not evidence.models:
        sentences.append("No network was called: there was no training to look at.")
    elif not learning:
        sentences.append("A network was called, but none learnt: no gradient and no optimizer reached one.")
    return sentences


def _network(model: ModelSeen, optimizers: int) -> str:
    count = sum(_size(p.shape) for p in model.parameters.values())
    calls = f"{model.call_counts['train']:,} training and {model.call_counts['evaluate']:,} evaluation calls"
    return f"Network {model.name} ({model.kind}, {count:,} parameters in {len(model.parameters)} tensors): {calls}."


def _optimizer(optimizer: OptimizerSeen) -> str:
    rates = [rate for _, rate in optimizer.rates]
    if not rates:
        return f"{optimizer.steps:,} updates were made."
    spread = f"{rates[0]:.3g}" if len(set(rates)) == 1 else f"{min(rates):.3g} to {max(rates):.3g}"
    return f"{optimizer.kind} made {optimizer.steps:,} updates at a learning rate of {spread}."


def _data(model: ModelSeen) -> str:
    call = next((c for c in model.calls if c.moment == "train" and c.inputs), None)
    if call is None:
        return f"{model.name} was given no tensor."
    first = call.inputs[0]
    shape = " x ".join(str(n) for n in first.shape)
    return f"A training batch of {model.name} is {shape}, values from {first.low:.4g} to {first.high:.4g}."


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
