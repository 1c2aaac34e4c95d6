"""Which fault brings which others about: a consequence is told under its cause, not beside it."""

from osler.structures.finding import SEVERITIES, Finding

NOT_LEARNING = (
    "plateau", "underfitting", "undertrained", "constant-prediction", "precision-recall-imbalance", "oscillating-loss",
    "learning-rate-too-low",
)  # fmt: skip
BLOWING_UP = ("exploding-gradient", "diverging-loss", "non-finite-loss", "oscillating-loss", "low-precision-overflow")
STARVED = ("dead-relu", "saturated-activation", "vanishing-gradient", "learning-rate-too-high")

# cause: what it brings about, from how each works (the page of each fault says the way)
BRINGS: dict[str, tuple[str, ...]] = {
    "non-finite-input": (*NOT_LEARNING, *BLOWING_UP, *STARVED, "no-update", "learning-rate-too-high", "input-not-scaled"),
    "input-not-scaled": (*NOT_LEARNING, *BLOWING_UP, *STARVED, "learning-rate-too-high", "input-ignored"),
    "input-scaled-twice": (*NOT_LEARNING, "vanishing-gradient", "input-ignored", "input-not-scaled", "dead-relu"),
    "constant-input": (*NOT_LEARNING, "input-ignored", "dead-relu"),
    "target-not-scaled": (*NOT_LEARNING, *BLOWING_UP, *STARVED, "learning-rate-too-high", "target-out-of-output-range"),
    "target-out-of-output-range": (*NOT_LEARNING, "dead-relu", "saturated-activation", "activation-on-logits"),
    "label-out-of-range": (*NOT_LEARNING, *BLOWING_UP, "target-out-of-output-range", "wrong-output-size", "saturated-activation"),
    "corrupt-sample": ("crash", "label-noise", "constant-input"),
    "class-imbalance": ("precision-recall-imbalance", "constant-prediction", "plateau"),
    "label-noise": ("overfitting", "plateau", "underfitting"),
    "labels-shuffled": ("overfitting", "plateau", "underfitting", "constant-prediction", "label-noise", "undertrained"),
    "not-shuffled": (*NOT_LEARNING, *BLOWING_UP, "train-eval-gap", "overfitting", "learning-rate-too-high"),
    "too-few-samples": ("overfitting", "batch-too-large", "undertrained"),
    "targets-not-transformed-with-image": ("label-noise", "plateau", "underfitting", "overfitting"),
    "preprocessing-mismatch": ("overfitting", "constant-prediction", "train-eval-gap", "precision-recall-imbalance"),
    "repeated-augmentation": ("preprocessing-mismatch", "overfitting", "train-eval-gap"),
    "validation-augmented": ("preprocessing-mismatch", "overfitting"),
    "wrong-output-size": (*NOT_LEARNING,),
    "softmax-over-one-unit": (*NOT_LEARNING, "no-update", "input-ignored", "wrong-loss", "vanishing-gradient", "frozen-parameters"),
    "softmax-before-cross-entropy": (*NOT_LEARNING, "vanishing-gradient", "saturated-activation"),
    "logits-into-probability-loss": (*NOT_LEARNING, "exploding-gradient", "diverging-loss", "wrong-loss"),
    "wrong-loss": (*NOT_LEARNING, "wrong-output-size"),
    "missing-nonlinearity": (*NOT_LEARNING, "too-deep-plain"),
    "activation-on-logits": (*NOT_LEARNING, "dead-relu", "target-out-of-output-range", "saturated-activation"),
    "dropout-on-output": (*NOT_LEARNING, "train-eval-gap"),
    "dropout-too-high": (*NOT_LEARNING, "train-eval-gap"),
    "dropout-before-batchnorm": ("train-eval-gap", "plateau", "underfitting", "undertrained"),
    "small-batch-norm": (*NOT_LEARNING, "train-eval-gap", "batch-too-small", "overfitting"),
    "frozen-norm-statistics": (*NOT_LEARNING, "train-eval-gap", "overfitting", "eval-mode-in-training", "exploding-gradient",
                               "diverging-loss"),
    "eval-mode-in-training": ("overfitting", "frozen-norm-statistics", "train-eval-gap"),
    "train-mode-in-evaluation": ("train-eval-gap", "overfitting"),
    "train-eval-gap": ("overfitting", "constant-prediction", "precision-recall-imbalance", "underfitting"),
    "wrong-metric": ("overfitting", "precision-recall-imbalance", "constant-prediction", "underfitting", "train-eval-gap"),
    "undertrained": ("underfitting", "constant-prediction", "precision-recall-imbalance", "plateau"),
    "crash": (*NOT_LEARNING, *BLOWING_UP, *STARVED, "missing-backward-or-step", "missing-zero-grad", "no-update",
              "optimizer-misses-parameters", "unused-parameters", "frozen-parameters"),
    "unregistered-layers": ("optimizer-misses-parameters", "frozen-parameters", "no-update", *NOT_LEARNING),
    "layer-created-in-forward": ("optimizer-misses-parameters", *NOT_LEARNING, "no-update"),
    "detached-graph": ("unused-parameters", "no-update", "frozen-parameters", *NOT_LEARNING),
    "frozen-parameters": ("no-update", *NOT_LEARNING),
    "unused-parameters": ("no-update",),
    "optimizer-misses-parameters": ("no-update", *NOT_LEARNING, "frozen-parameters", "diverging-loss"),
    "narrow-bottleneck": (*NOT_LEARNING, "dead-relu", "saturated-activation", "input-ignored"),
    "too-deep-plain": (*NOT_LEARNING, *STARVED, "exploding-gradient", "input-ignored", "no-update"),
    "spatial-collapse": (*NOT_LEARNING,),
    "batch-mixing": ("overfitting", "plateau", "train-eval-gap", "underfitting"),
    "input-ignored": (*NOT_LEARNING,),
    "shape-broadcast": (*NOT_LEARNING,),
    "zero-init": (*NOT_LEARNING, "vanishing-gradient", "dead-relu", "no-update", "narrow-bottleneck", "learning-rate-too-high"),
    "init-too-large": (*NOT_LEARNING, *BLOWING_UP, *STARVED, "learning-rate-too-high", "overfitting"),
    "init-too-small": (*NOT_LEARNING, "vanishing-gradient", "no-update", "input-ignored", "dead-relu"),
    "vanishing-gradient": (*NOT_LEARNING, "no-update", "saturated-activation", "too-deep-plain"),
    "exploding-gradient": ("too-deep-plain", "diverging-loss", "non-finite-loss", "oscillating-loss", "plateau",
        "learning-rate-too-high"),
    "non-finite-loss": ("no-update", "constant-prediction", "diverging-loss", "plateau", "dead-relu", "exploding-gradient"),
    "saturated-activation": ("vanishing-gradient", *NOT_LEARNING),
    "dead-relu": (*NOT_LEARNING, "vanishing-gradient"),
    "learning-rate-too-high": (*NOT_LEARNING, *BLOWING_UP, *STARVED),
    "learning-rate-too-low": ("undertrained", "underfitting", "plateau", "constant-prediction", "no-update"),
    "missing-zero-grad": (*NOT_LEARNING, *BLOWING_UP, *STARVED, "overfitting", "learning-rate-too-high"),
    "missing-backward-or-step": ("no-update", *NOT_LEARNING, "unused-parameters", "missing-zero-grad", "frozen-parameters"),
    "no-update": (*NOT_LEARNING,),
    "summed-loss": (*NOT_LEARNING, *BLOWING_UP, *STARVED, "clipping-too-strong"),
    "batch-too-large": ("undertrained", "underfitting", "plateau", "learning-rate-too-low", "constant-prediction"),
    "batch-too-small": ("oscillating-loss", "plateau"),
    "scheduler-misused": (*NOT_LEARNING, "no-update"),
    "weight-decay-too-high": (*NOT_LEARNING, "vanishing-gradient", "dead-relu", "init-too-small", "learning-rate-too-high"),
    "clipping-too-strong": (*NOT_LEARNING,),
    "low-precision-overflow": (*BLOWING_UP, "plateau", "no-update", "learning-rate-too-low"),
    "overfitting": ("train-eval-gap",),
    "oscillating-loss": ("plateau",),
    "constant-prediction": ("precision-recall-imbalance", "plateau", "underfitting"),
    "boxes-in-other-format": (*NOT_LEARNING, *BLOWING_UP, "crash", "box-outside-picture", "box-corners-swapped", "box-without-area",
                              "masks-off-boxes", "objects-below-stride", "anchors-miss-objects", "all-anchors-negative"),
    "box-outside-picture": (*NOT_LEARNING, "masks-off-boxes", "all-anchors-negative", "anchors-miss-objects", "crash"),
    "box-without-area": (*BLOWING_UP, "crash", "no-update"),
    "box-corners-swapped": (*BLOWING_UP, "crash", "no-update", "masks-off-boxes", "all-anchors-negative", "plateau"),
    "masks-off-boxes": ("plateau", "underfitting"),
    "objects-below-stride": ("anchors-miss-objects", "underfitting"),
    "anchors-miss-objects": ("all-anchors-negative", "underfitting", "plateau", "constant-prediction"),
    "all-anchors-negative": (*NOT_LEARNING, "class-imbalance", "no-update", "vanishing-gradient"),
    "plateau": ("underfitting", "undertrained"),
    "diverging-loss": ("plateau", "underfitting"),
}  # fmt: skip
BRINGS = {
    cause: tuple(effect for effect in dict.fromkeys(effects) if effect != cause) for cause, effects in BRINGS.items()
}


def fold(findings: list[Finding]) -> list[Finding]:
    """Findings with those that others explain folded under them, whole chains at once.

    A cause explains a consequence if it is at least a warning and not much less certain; a note explains nothing.
    Where two explain each other, the surer is the cause.
    """
    order = sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), -f.certainty))
    explained: dict[int, Finding] = {}
    for cause in order:
        if not cause.counts or id(cause) in explained:
            continue
        for other in findings:
            if other is cause or id(other) in explained or _explains(explained, other, cause):
                continue
            if other.fault in BRINGS.get(cause.fault, ()) and cause.certainty >= other.certainty - 0.35:
                explained[id(other)] = cause
    kept = [f for f in findings if id(f) not in explained]
    return [f.because_of(*(o for o in findings if _root(explained, o) is f)) for f in kept]


def _root(explained: dict[int, Finding], finding: Finding) -> Finding | None:
    cause = explained.get(id(finding))
    while cause is not None and id(cause) in explained:
        cause = explained[id(cause)]
    return cause


def _explains(explained: dict[int, Finding], other: Finding, cause: Finding) -> bool:
    """Whether `other` already explains `cause`."""
    above = explained.get(id(cause))
    while above is not None:
        if above is other:
            return True
        above = explained.get(id(above))
    return False
