"""Parameters that are meant to learn and never got a gradient."""

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.freshly_drawn import learnt_before
from osler.vitals.evidence import ModelSeen


def without_gradient(case: Case, model: ModelSeen) -> list[str]:
    """Names of trainable parameters in an optimizer that had no gradient at any sampled step, nor moved, nor at the end.

    Layers that only some steps use get a gradient now and then; what another stage of the training taught has moved.
    """
    return [
        name
        for name, p in model.parameters.items()
        if p.requires_grad
        and p.optimizers
        and p.steps_seen >= thresholds.STEPS_UNUSED
        and not p.gradients_seen
        and not p.gradient_at_end
        and not p.moved
        and not p.exchanged
        and not learnt_before(case, name, p)
    ]
