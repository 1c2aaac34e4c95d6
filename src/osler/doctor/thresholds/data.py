"""Thresholds of the checks of data, each with where it comes from."""

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
TASK_MIXED = 0.8  # ours: share of the batches that hold two classes or more
TASK_REPEATS = 5  # ours: samples a class that come again before the last class has come: an epoch of a task is over


# ---- too-few-samples
FEW_PER_CLASS, FEW_AT_LEAST = 30, 100  # ours: a "handful"
FEW_GAP = 0.08  # of accuracy, or a held-out loss 1.5 times the training loss


# ---- corrupt-sample
BLANK_BY_LABEL = (
    0.5  # ours: of the samples with the label of the blank ones, how many are blank where nothing is to be seen
)
BLANKS_ALIKE = 0.9  # ours: of the blank ones with the same class
BLANKS_NEAR = 0.35  # ours: spread of the blank ones' targets, in spreads of all
BLANK_SHARE, BLANK_SAMPLES = 0.005, 3  # ours
