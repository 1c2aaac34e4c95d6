"""Every threshold of the checks, each with where it comes from. "Ours" was calibrated on sick, mended and healthy scripts."""

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


# ---- learning-rate-too-high, learning-rate-too-low, summed-loss: updates against weights
UPDATE_TOO_LARGE = 0.1  # TheDeepChecker and DeepDiagnosis: a ratio above 0.1 at any update; cs231n: healthy is 1e-3
UPDATE_STAYS_LARGE = 0.03  # ours: median over matrices in the second half; healthy programs end below 0.015
UPDATE_TOO_SMALL = 1e-4  # TheDeepChecker; DeepDiagnosis 1e-5
HARDLY_MOVED_UNLEARNT = 0.15  # ours, where nine tenths of the loss are left
HARDLY_MOVED = (
    0.02  # ours: all updates together, as a share of the weights; least of a healthy program from scratch 0.3
)
UNUSUAL_ADAPTIVE_RATE = 0.03  # UMLAUT warns of Adam above 0.01, which many healthy small networks bear
FAR_UNUSUAL_ADAPTIVE_RATE = 0.1  # ours: a hundred times Adam's usual
FAR_UNUSUAL_LEFT = 0.15  # ours
UNUSUAL_LEFT = 0.2  # ours: share of the loss left after a leap at such a rate
UNUSUAL_RATE = 1.0  # ours: SGD's rate / (1 - momentum)
LOW_ADAPTIVE_RATE = 1e-4  # ours: a tenth of Adam's usual 1e-3
LOW_RATE = 0.01  # ours: a tenth of SGD's usual 0.1
RATE_STEPS = 20  # updates before a rate is judged
LARGE_UPDATES = 2  # ours: sampled updates after the third; an adaptive optimizer's first ones are large by nature
LEAP = 3.0  # ours: the highest loss against the first, beyond what a batch's chance gives
NO_BETTER_THAN_CONSTANT = (
    0.93  # ours: share of the best constant answer's loss, less what a small sample of losses errs by
)
SUM_LEFT = 0.5  # ours: a loss that leaps and comes down to less was not spoilt by its sum
HARDLY_LEARNT = 0.6  # ours: share of the loss that is left
LEARNT = 0.25  # ours
STILL_AS_FAST = 0.33  # ours: slope of the second half against the first's

# ---- no-update
NO_UPDATE_STEPS = 3  # SageMaker Debugger, UnchangedTensor: num_steps 3
CERTAINTY_NO_UPDATE = 0.75  # below that of what explains it

# ---- optimizer-misses-parameters
MISSED_STEPS = 3

# ---- missing-zero-grad
STALE_STEPS = 3
STALE_SHARE = 0.5  # accumulation clears gradients between any two updates: 0

# ---- missing-backward-or-step
ORDER_STEPS = 5
ORDER_SHARE = 0.9
THROWN_AWAY_CALLS = 20
THROWN_AWAY_SHARE = 0.6  # ours: gradients that were cleared unused

# ---- scheduler-misused
SCHEDULE_STEPS = 10
RATE_NOT_REACHED = 0.2  # ours: OneCycleLR begins at 1/25 of its peak
RATE_USED_UP = 0.0101  # ours; cosine and linear decay get there in the last 6 % of a run
USED_UP_BEFORE = 0.5  # ours
COSINE_ROUNDS = 1.5  # ours: downs and ups, where the length is known to count epochs
COSINE_ROUNDS_FOR_SURE = 4.0  # ours, where it is not

# ---- weight-decay-too-high
DECAY_AGAINST_DATA = (
    0.3  # ours, while the data's gradient is largest; healthy 0.01. TheDeepChecker 2.0, which noise hides
)
DECAY_SHARE_OF_UPDATE = 0.5  # ours, for decoupled decay; healthy up to 0.1
DECAY_USUAL = 0.005  # ours: coupled decay below is never the cause, however small other gradients are
DECAY_SAMPLES = 5  # TheDeepChecker: five checks
DECAY_SHRUNK = 0.5  # ours
DECAY_LEFT = 0.7  # ours: share of the constant answer's loss
DECAY_LEAST_LEFT = 0.15  # ours

# ---- clipping-too-strong
CLIPPED_SHARE = 0.5  # Deep learning tuning playbook: more than half of the updates
CLIPPED_FACTOR = 10.0  # ours: usual norm against the limit; RNNs that learn well are clipped by 2 to 5
CLIPPED_CALLS = 10
CLIPPED_RATIO = 3e-4  # ours: largest of the matrices
CLIPPED_LEFT = 0.6  # ours: share of the loss that is left
CLIPPED_VALUES = 0.6  # ours: root mean square of clipped values against the limit; 1 where every value is cut

# ---- low-precision-overflow
LOST_GRADIENTS = 0.9
LOST_LAYERS = 0.5
LOST_UPDATES = 10
UPDATE_ARRIVES = 0.3  # ours: rounding to nearest keeps the whole on average where updates are not lost
SCALER_STEPS = 20
SCALER_SKIPS = 0.05  # ours
SCALER_FINDS_ITS_LEVEL = 6  # from 65,536 down to what the program bears

# ---- batch-too-large
UPDATES_AN_EPOCH = 10.0  # a batch of a tenth of the data or more
BATCH_FEW_UPDATES = 200  # ours; of a larger count a loss still falling is a matter of epochs
FEW_SAMPLES = 200
LARGE_BATCH = 64
WHOLE_BATCH_UPDATES = 50  # ours, where no loader cuts the data
BATCH_LEFT = 0.5  # ours: share of the loss that is left
BATCH_STILL_FALLING = 0.12  # ours: what the last 40 % of the updates gained, as a share of all that was gained

# ---- batch-too-small
TINY_BATCH = 4
TINY_BATCH_STEPS = 100
TINY_BATCH_LEFT = 0.5  # ours: share of the loss that is left
NOISY_UPDATE = 3e-3  # ours: three times a healthy update, late in the run
SCATTER = 0.3  # ours
WILD_SCATTER = 1.0  # ours, for one or two samples
WILD_LEFT = 0.12  # ours

# ---- diverging-loss
DIVERGED = 2.0  # TheDeepChecker
ABOVE_START = 1.2  # ours
DIVERGED_FOR_SURE = 5.0  # ours: however much the loss scatters

# ---- plateau
PLATEAU_UPDATES = 40
PLATEAU_LEFT = 0.95  # ours: of the best constant answer
PLATEAU_HIGHEST = 2.5  # ours: above, the loss has diverged
PLATEAU_SWING = 0.1  # ours: between tenths
PLATEAU_CHANGE = 0.02  # TheDeepChecker 5 % over five checks, AutoTrainer 0.01 of accuracy

# ---- oscillating-loss
OSCILLATION_VALUES = 60
OSCILLATION_LEFT = 0.15  # ours: near zero any loss scatters widely
OSCILLATION_EXCESS = 2.5  # ours: 1 is what chance gives; healthy programs with as much left stay below 1.8
OSCILLATION_SWING = 0.06  # ours: of the mean
OSCILLATION_TURNS = 4  # ours: of ten that are possible
ACCURACY_SWING = 0.08  # AutoTrainer 0.03, which small validation sets give by chance
ACCURACY_SWINGS = 3  # ours
OSCILLATION_SPIKES = 0.03  # ours
OSCILLATION_SCATTER = (
    3.3  # ours: of single samples' losses against their mean; healthy programs with as much left below 2.8
)
OSCILLATION_SCATTER_LEFT = 0.3  # ours
OSCILLATION_EVEN = 0.8  # ours: entropy of the classes against that of equal ones

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

# ---- input-not-scaled
INPUT_RMS = 20.0  # ours: raw 0..16 digits (7.6) still train, raw 0..255 pixels (70 to 150) do not
INPUT_RANGE_TINY = (
    0.02  # ours: highest less lowest value; default initialisation expects a spread near 1 (LeCun 1998, 4.3)
)
SCALED_INSIDE = 5.0  # ours: the first layer's output is this much smaller than inputs and weights predict

# ---- input-scaled-twice
TWICE_SPREAD = 0.05  # published as "std < 0.05 or range < 1/50, to be calibrated" (EVIDENCE.md, row 2)
TWICE_RANGE = 0.15  # ours: range that is left of [0, 1] or of +-3 after a second division by 16 or more

# ---- constant-input
CONSTANT_SAMPLES = 100  # ours: fewer samples may well agree in a value
OTHERS_VALUES = 10  # ours: different values in every other column, or the table is a picture or a set of flags

# ---- target-not-scaled
TARGET_OVER_OUTPUT = 30.0  # ours; published: spread over 100, or mean over 10 spreads (EVIDENCE.md, row 6)
TARGET_UNDER_OUTPUT = 1e-3  # ours
MISSED_SPREADS = 0.5  # ours: distance of the mean output from the mean target at the end, in spreads of the target

# ---- target-out-of-output-range
OUTSIDE_SHARE = 0.02  # ours: of the targets

# ---- class-imbalance
IMBALANCE = 10.0  # SageMaker Debugger, ClassImbalance: 10 to 1
RARE_RECALL = 0.6  # ours: of the rare class, while the common one's is far above it
RECALL_GAP = 0.25  # ours

# ---- eval-mode-in-training, train-mode-in-evaluation (exact readings of the mode: these only leave out strays)
WRONG_MODE_STEPS = 3
WRONG_MODE_SHARE = 0.1  # of the training steps looked at
WRONG_MODE_EVALUATION = 0.5  # of the evaluation samples
RARE_PASSES = 0.25  # passes an update, up to which a pass without labels may be a validation
RANDOM_EVALUATION = 0.02  # difference between two evaluation passes, in spreads of the outputs

# ---- train-eval-gap
MODE_GAIN = (
    0.1  # change of the mean output of a layer between the modes, as a share; four standard errors besides (ours)
)
MODES_AGREE = 0.6  # share of samples with the same answer in both modes (TheDeepChecker asks for a similarity of 0.75)
MODES_APART = 1.0  # difference of the outputs, in their spreads
WORSE_IN_EVALUATION = 1.5  # TheDeepChecker: a relative difference of losses of 0.5
WORSE_ACCURACY = 0.15

# ---- overfitting
PASSES_LEAST = 5  # validations, to speak of a course
CHECKS_RISING = 3  # validations after the best one (rising for three checks: textbook rule)
RISE = 0.25  # of the lowest validation loss (Prechelt 1998 stops at 5 %; a quarter is past all doubt: ours)
RISE_JITTERS = 3.0
RISE_SMOOTH = 0.1  # where validation is also five times the training loss
RISE_SMOOTH_JITTERS = 8.0
FAR_BEHIND = 5.0
LOSS_MATTERS = (
    0.1  # of the loss without learning: below it a regression has learnt nearly all, whatever its last digits do
)
RISE_NATS = 0.08  # of ln K: what a class loss must rise by at least (ours)
STILL_FALLING = 0.9
TRAINED_WELL = 0.9
GAP_LEAST = 0.1  # AutoTrainer
GAP = 0.15  # without a rising validation loss (ours)
GAP_ERRORS = 2.5

# ---- undertrained
FAR_FROM_DONE = 0.5  # loss at the end over that of a constant answer (ours)
NOT_DIVERGED = 1.15
SLOPE_ERRORS = 4.0
HARDLY_SLOWER = 0.5  # fall of the second half over that of the first; a settling loss has far less (ours)
FEW_UPDATES = 40
PASSES_STRAIGHT = 4  # validations whose loss shows the course
STEEP = 0.33  # fall of the second half over the loss at the end, of a loss that is well under way (ours)
MUCH_MORE_TO_LEARN = 0.2  # of one that is well under way: short demonstrations are no fault
MORE_TO_LEARN = 0.1  # accuracy, or explained variance, by which a simple model is ahead (ours)

# ---- underfitting
LEARNT_WELL = 0.85
STILL_FALLS = 0.1  # fall over the last third, as a share of the loss at the end, from which what is missing is time
UNDERFIT = 0.15  # accuracy by which a simple model is ahead (ours)
ERROR_OF_SPREAD = 0.6  # mean error over the spread of the targets; a constant answer has 0.8 (normal targets)
EXPLAINED = 0.75  # variance that a simple model explains

# ---- constant-prediction
ANSWERS_LEAST = 40
ONE_ANSWER = 0.98
ONE_LABEL = 0.9
ONE_NUMBER = 0.01  # spread of the outputs over that of the targets

# ---- precision-recall-imbalance
APART = 0.4  # ours
LOW = 0.4  # the lower of the two
MISTAKES = 10
MISTAKES_RATIO = 5
EDGE_OFF = 0.2

# ---- wrong-metric
PRINTED_TOLERANCE = 0.006  # figures are printed with two digits at least
PRINTED_FAR = 0.08  # median distance from what we computed
PRINTED_AS_TRAINING = 0.15  # an accuracy without a name that is so near to that of the last training steps may be theirs
SURE_OF_METRIC = 0.8

# ---- labels-shuffled, label-noise: what the labels of nearest neighbours say
NEIGHBOURS = 20
SIGMAS_OF_CHANCE = 4.0  # labels agree with neighbours' "no more than by chance" below this many standard errors
MEMORISED = 0.75  # ours: share of the loss of guessing by class frequency under which a training set counts as learnt
NOISE_GAIN = 0.07  # ours: held-out labels agree with their neighbours' vote by so much more often than training labels;
# -0.07 to 0.03 on clean data sets, 0.08 to 0.13 where a tenth of the training labels is wrong
NOISE_GAIN_OF_CLASS = 0.3  # ours: the same within one class
NOISE_SIGMAS, NOISE_SIGMAS_OF_CLASS = 3.5, 5.0

# ---- train-test-leak
LEAK_SHARE, LEAK_SAMPLES = 0.03, 5  # of a held-out pass, value for value; fewer may be twins of the data set itself
TWIN_GAP = 1.3  # ours: clean image and table data have 1.01 to 1.21, noisy twins 1.75
TWIN_EXCESS = 2.5  # ours: log of the gap times the local dimension; neighbours of one distribution give about 1
TWIN_SHARE = 0.25  # of the held-out samples

# ---- preprocessing-mismatch: mean squared distance of class means per value, in spreads, less sampling error
SHIFT = 0.15  # ours: 0.006 at most where both sets go the same way
SHIFT_AUGMENTED = 1.0  # ours: augmented or noisy training data against plain ones give 0.1 to 0.3
SHIFT_GAP = 0.1  # of accuracy between training and held-out data

# ---- not-shuffled
FEWER_CLASSES = 0.6  # ours: of the classes that a random batch of that size would hold
ORDER_SIGMAS = 6.0

# ---- too-few-samples
FEW_PER_CLASS, FEW_AT_LEAST = 30, 100  # ours: a "handful"
FEW_GAP = 0.08  # of accuracy, or a held-out loss 1.5 times the training loss

# ---- corrupt-sample
BLANK_SHARE, BLANK_SAMPLES = 0.005, 3  # ours

# ---- layer-created-in-forward
MADE_IN_FORWARD = 3  # ours: a lazy layer makes its parameters once

# ---- unused-parameters, detached-graph
STEPS_UNUSED = 3  # ours: sampled steps without a gradient
SHARE_UNUSED = 0.3  # ours: share of the weights from which a result is wrong, not only poorer
SHARE_UNUSED_NOTED = 0.002  # ours: under that a leftover costs nothing

# ---- frozen-parameters
SHARE_FROZEN = 0.1  # ours: of the weights
SHARE_FROZEN_CRITICAL = 0.3  # ours
VALUES_TO_TELL = 24  # ours: of a smaller matrix the spread says little
VALUES_SUMMARISED = 16_384
CHANCE_ERRORS = 4.0  # standard errors of the spread

# ---- batch-mixing
MIXED = 1e-3  # of the spread between outputs; rounding by another order of sums stays under 1e-5
MIXED_ABSOLUTE = 1e-6
MIXED_MUCH = 0.3  # ours: more than statistics of a batch, kept by hand, do to the others

# ---- input-ignored
IGNORED = 1e-6  # of the outputs' size: rounding
LETS_NOTHING_THROUGH = 0.02  # ours: spread of weights times the root of the fan-in; PyTorch's own is 0.58

# ---- zero-init
SHARE_SYMMETRIC = 0.7  # ours: constant layers; residual networks whose branches end in zeros have half
COPIES = 1e-5  # of the largest weight: rounding

# ---- init-too-large, init-too-small
LARGE_WEIGHTS = 4.0  # times He's standard deviation; PyTorch's own is 0.41 of it, LeCun's 0.71, Glorot's near 1
WILD_START = 4.0  # ours: first loss over that of guessing; TheDeepChecker takes 2
LEARNT_ANYWAY = 0.3  # ours: share of the loss that is left; what starts badly and learns well is no fault
LARGE_GAIN = 3.0  # ours: what a layer does to the spread between samples
SMALL_WEIGHTS = 0.2  # half of PyTorch's own, which is 0.41
SMALL_GAIN = 0.5
SIGNAL_LEFT = 1e-3  # ours: PyTorch's own initialisation leaves 1e-2 over five layers
SHARE_OF_LAYERS = 0.5  # ours

# ---- vanishing-gradient, exploding-gradient
VANISHED = 1e-3  # AutoTrainer: first over last
VANISHED_SQUASHING = 1e-2  # ours: with three sigmoids or tanhs in a row, whose slopes explain it
SQUASHING_TO_VANISH = 3
LAYERS_TO_VANISH = 4
CALLS_TO_VANISH = 8  # ours: calls of a cell, or steps of a sequence
LEARNT_THOUGH_VANISHED = 0.6  # ours: share of the loss that is left
LEARNT_THOUGH_EXPLODED = 0.5
NORM_AT_ONCE = 1e3  # ours: before the first update; cross entropy of usual weights gives 0.1 to 10
EXPLODED = 70.0  # AutoTrainer: first over last
NORM_GREW = 1e3
NORM_LARGE = 1e2
NORM_ANYWAY = 1e6  # TheDeepChecker

# ---- non-finite-loss
GREW = 5.0  # ours: the last losses over the first, from which a value that is not finite is the end of a growth
NEAR_OVERFLOW = 1e6  # ours: outputs of layers before the first update

# ---- dead-relu
UNITS_TO_JUDGE = 4
DEAD_UNITS = 0.5  # SageMaker, TheDeepChecker: half of the layer
DEAD_NEARLY_ALL = 0.9
LAST_SAMPLES = 4
LEARNT_THOUGH_DEAD = 0.5  # ours: share of the loss that is left; healthy wide layers have up to 60 % of silent units
PUSHED = 1.0  # ours: a bias below zero by that many spreads of the layer's outputs

# ---- saturated-activation
SATURATED = 0.5  # DeepDiagnosis: half; by slope instead of by a bound on the input
SATURATED_NEARLY_ALL = 0.8
LEARNT_THOUGH_SATURATED = 0.5  # ours
