"""Thresholds of the checks of optimisation, each with where it comes from."""

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
FALLS_SURELY = 4.0  # ours: standard errors of a straight line through the whole loss
VALUES_TO_DIVERGE = 20  # ours: as many as a loss needs to be looked at by tenths
GROWS_SURELY = 3.0  # ours: standard errors between the first and the last third of a part of the loss
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
LAYERS_OF_A_LINE = 6  # ours: calls of an activation at one line in a step, above which it is a cell or a loop over time
DEAD_DOUBTFUL = 0.7  # ours: ends of sparse codes, such as of an autoencoder with a narrow middle, have up to 0.6
LEARNT_THOUGH_DEAD = 0.5  # ours: share of the loss that is left; healthy wide layers have up to 60 % of silent units
PUSHED = 1.0  # ours: a bias below zero by that many spreads of the layer's outputs


# ---- saturated-activation
SATURATED = 0.5  # DeepDiagnosis: half; by slope instead of by a bound on the input
SATURATED_NEARLY_ALL = 0.8
LEARNT_THOUGH_SATURATED = 0.5  # ours
