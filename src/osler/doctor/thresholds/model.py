"""Thresholds of the checks of the network, each with where it comes from."""

import math

# ---- softmax-before-cross-entropy
ROW_SUM = 1e-4  # rounding of float32 sums of probabilities


def probability_floor(classes: int) -> float:
    """The least cross entropy that probabilities in place of scores can reach: all on the right class of `classes`."""
    return math.log(1 + (classes - 1) * math.exp(-1))


# ---- wrong-output-size
UNUSED_OUTPUTS = 0.25  # ours: one class too many or few samples of some are no fault
LABELS_PER_OUTPUT = 20  # ours: a class as likely as those seen stays away with a chance of e^-20


# ---- logits-into-probability-loss
LOG_PROBABILITY = 1e-4  # rounding of log_softmax; no logarithm of a probability is above 0
FIRST_LOSSES = 50  # ours: what the untrained network gave shows what stands before the loss


# ---- activation-on-logits
CUT = 0.05  # ours: share of scores that a clamp set to 0


def bounded_floor(classes: int, reach: float) -> float:
    """The least cross entropy of scores that lie at most `reach` apart: the right one above all others by that."""
    return math.log(1 + (classes - 1) * math.exp(-reach))


# ---- wrong-loss
TARGETS_ROUNDED = 0.01  # ours: bfloat16 keeps numbers near 1 to 0.004, and interpolated ones end beside 0 and 1
ONES_IN_A_ROW = 1.05  # more than one class is right for a sample; smoothed and mixed targets add up to 1
ORDER_FITS = 0.02  # ours: share of random numberings that fit the inputs as well as an order that means something
NO_ORDER = 0.1  # ours
CLASSES_DIFFER = 0.03  # ours: variance that a numbering explains; with less the inputs' main directions say nothing
MOST_CLASSES = 200  # ours: more whole numbers than that are more likely counts
GROWN_MISTAKES = 1.2  # ours


def hardly_better(classes: int) -> float:
    """An accuracy a quarter of the way from chance to perfect (ours): below it the classes were not learnt."""
    return 0.25 + 0.75 / classes


# ---- missing-nonlinearity
LINEAR_MAP = 1e-3  # |f(a+b) - f(a) - f(b) + f(0)| over the spread of f; rounding leaves 1e-6
LAYERS_WITHOUT_ACTIVATION = 3  # ours: two layers with max-pooling between may be meant


# ---- dropout-before-batchnorm
DROPOUT_BEFORE_NORM = 0.2  # ours: the variance in training is up to 1/(1 - p) times that of evaluation, here 1.25


# ---- dropout-too-high
DROPOUT_RATE = 0.75  # ours: published networks drop up to 0.6; Srivastava et al. 2014 keep 0.5 to 0.8 of hidden units
DROPOUT_DOUBTFUL = 0.65  # UMLAUT warns above 0.5; published networks (GAT, Velickovic et al. 2018) use 0.6
LEARNT_LITTLE = 0.3  # ours: share of the loss of constant answers that has gone


# ---- small-batch-norm
NORM_SAMPLES = 2  # ours: Wu, He 2018 see 10 points lost at 2 samples, little at 8
NORM_SAMPLES_DOUBTFUL = 8  # Wu, He 2018: from here on downwards the error rises
MODES_AGREE = 0.6  # ours: share of samples answered alike in both modes, by a network that fits its training data
NORM_VALUES = 6  # the chance error of a variance, sqrt(2 / (n - 1)), is above 0.6


# ---- frozen-norm-statistics
CALLS_OF_NORM = 5  # ours
SLOW_MOMENTUM = 0.05  # ours: half of PyTorch's


# ---- narrow-bottleneck
WAIST_ENOUGH = 0.85  # ours: what one unit may reach where the classes lie in a row
WAIST_LEARNT = (
    0.65  # ours: share of the loss of constant answers that has gone; good codes of two values reach 0.7 and more
)


# ---- too-deep-plain
DEEP = 18  # He et al. 2016: a plain network of 18 layers still trains as well as its residual twin, one of 34 does not
RATHER_DEEP = 10  # ours; VGG of 11 to 19 layers trains from a good initialisation (Simonyan, Zisserman 2015)
DEPTH_FACTOR = 100.0  # ours: change of signal or gradient over the whole depth; AutoTrainer takes 1000


# ---- spatial-collapse
COLLAPSED = 0.2  # ours: a residual network for large pictures, fed 32 pixels, has 3 of 17 and still learns
PICTURE = 8  # pixels a side; smaller ones shrink to a point anyway


# ---- layer-created-in-forward
MADE_IN_FORWARD = 3  # ours: a lazy layer makes its parameters once


# ---- unused-parameters, detached-graph
STEPS_UNUSED = 3  # ours: sampled steps without a gradient
SHARE_UNUSED = 0.3  # ours: share of the weights from which a result is wrong, not only poorer
SHARE_UNUSED_NOTED = 0.002  # ours: under that a leftover costs nothing


# ---- frozen-parameters
SHARE_FROZEN = 0.1  # ours: of the weights
SHARE_FROZEN_CRITICAL = 0.3  # ours
LEARNT_ON_RANDOM_FEATURES = 0.6  # ours: share of the loss that is left; one wide layer of them may be meant
VALUES_TO_TELL = 24  # ours: of a smaller matrix the spread says little
VALUES_SUMMARISED = 16_384
CHANCE_ERRORS = 4.0  # standard errors of the spread


# ---- batch-mixing
MIXED = 1e-3  # of the spread between outputs; rounding by another order of sums stays under 1e-5
MIXED_ABSOLUTE = 1e-6
MIXED_MUCH = 0.3  # ours: more than statistics of a batch, kept by hand, do to the others


# ---- input-ignored
IGNORED = 1e-6  # of the outputs' size: rounding
ALL_SATURATED = 0.95  # ours
FADED = 1e-3  # ours: what is lost at once varied by more than that of its size before
LETS_NOTHING_THROUGH = 0.02  # ours: spread of weights times the root of the fan-in; PyTorch's own is 0.58


# ---- zero-init
SHARE_SYMMETRIC = 0.7  # ours: constant layers; residual networks whose branches end in zeros have half
COPIES = 1e-5  # of the largest weight: rounding


# ---- init-too-large, init-too-small
LARGE_WEIGHTS = 4.0  # times He's standard deviation; PyTorch's own is 0.41 of it, LeCun's 0.71, Glorot's near 1
WILD_START = 4.0  # ours: first loss over that of guessing; TheDeepChecker takes 2
LEARNT_ANYWAY = 0.3  # ours: share of the loss that is left; what starts badly and learns well is no fault
SMALL_WEIGHTS = 0.2  # half of PyTorch's own, which is 0.41
SMALL_GAIN = 0.5
SIGNAL_LEFT = 1e-3  # ours: PyTorch's own initialisation leaves 1e-2 over five layers
SHARE_OF_LAYERS = 0.5  # ours
