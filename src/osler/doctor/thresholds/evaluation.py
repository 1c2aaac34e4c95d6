"""Thresholds of the checks of evaluation, each with where it comes from."""

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
MODES_ANSWER_ALIKE = (
    0.6  # share of samples with the same answer in both modes (TheDeepChecker asks for a similarity of 0.75)
)
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
UPDATES_TO_LEVEL = 200  # ours: in fewer a loss that falls slowly and jitters has not been seen to level off
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
PRINTED_AS_TRAINING = (
    0.15  # an accuracy without a name that is so near to that of the last training steps may be theirs
)
SURE_OF_METRIC = 0.8
