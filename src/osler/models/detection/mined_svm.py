"""One class against all else: a linear SVM whose negatives are mined (Girshick et al. 2014, section 2.3, appendix B).

Thousands of regions of each picture show no object of the class, too many to learn from all at once, and most are easy.
The machine learns from the first picture's; of every further picture it takes those that it does not yet keep outside its
margin, and learns again when enough have come (Felzenszwalb et al. 2010, section 4.2).
"""

import numpy as np
from jaxtyping import Float32

Features = Float32[np.ndarray, "regions features"]

# Of the authors' code: the penalty, the weight of a positive, the feature that carries the bias, how many new negatives
# make it learn again, from where on a negative is hard, and below where a learnt one is let go.
PENALTY = 1e-3
POSITIVE_WEIGHT = 2.0
BIAS_FEATURE = 10.0
ENOUGH = 2000
HARD = -1.0001
EASY = -1.2
TOLERANCE = 0.01  # of the solver: between liblinear's own 0.1, which the authors used, and scikit-learn's 0.0001
NEVER = -1e3  # the margin of everything for a class that has no example


class MinedSvm:
    """Learns from the true objects of a class and, picture by picture, from what is none.

    Args:
        positives: features of the class's objects.
    """

    def __init__(self, positives: Features) -> None:
        self.positives = positives
        self.negatives = positives[:0]
        self.weight = np.zeros(positives.shape[1], np.float32)
        self.bias = 0.0
        self._learnt, self._fresh = False, 0

    def see(self, negatives: Features) -> None:
        """Regions of a picture that are no object of the class; the hard ones are kept."""
        hard = negatives[self.margins(negatives) > HARD] if self._learnt else negatives
        self.negatives = np.concatenate((self.negatives, hard))
        self._fresh += len(hard)
        if len(self.negatives) and (not self._learnt or self._fresh > ENOUGH):
            self.learn()

    def learn(self) -> None:
        """Learns from what is kept, and lets go of the negatives that have become easy.

        A class without objects gives every region the margin `NEVER`; one that met no negative finds what the others
        do not exclude, at margin 0.
        """
        from sklearn.svm import LinearSVC  # heavy, and needed only where a detector is fitted

        self._fresh = 0
        if not len(self.positives):
            self.bias, self._learnt = NEVER, True
            return
        if not len(self.negatives):
            return
        machine = LinearSVC(
            C=PENALTY,
            loss="hinge",
            class_weight={1: POSITIVE_WEIGHT},
            intercept_scaling=BIAS_FEATURE,
            tol=TOLERANCE,
            max_iter=20_000,
            random_state=0,
        )
        truth = np.repeat([1, -1], [len(self.positives), len(self.negatives)])
        machine.fit(np.concatenate((self.positives, self.negatives)), truth)
        self.weight, self.bias = machine.coef_[0].astype(np.float32), float(machine.intercept_[0])
        self._learnt = True
        self.negatives = self.negatives[self.margins(self.negatives) >= EASY]

    def margins(self, features: Features) -> Float32[np.ndarray, " regions"]:
        """How far on the side of the class: 1 and more for a sure object, -1 and less for sure background."""
        found: Float32[np.ndarray, " regions"] = features @ self.weight + np.float32(self.bias)
        return found
