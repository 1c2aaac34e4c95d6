"""Whether a remedy helped: the figures of a program before and after it, against chance."""

import math
from collections.abc import Mapping

from osler.doctor.mending.headline import Headline
from osler.doctor.mending.prescription import Prescription
from osler.doctor.mending.trial import Trial
from osler.structures.finding import Finding, Proof

LEAST_GAIN = 0.05  # share of what is missing to a perfect figure, or of a loss, that counts as better

# Their figures are falsely good, so that a remedy makes them worse: these count as mended when they are gone.
FALSELY_GOOD = frozenset(
    {
        "train-test-leak", "wrong-metric", "validation-augmented", "train-mode-in-evaluation", "corrupt-sample", "batch-mixing",
        "precision-recall-imbalance",
    }
)  # fmt: skip
ENDED = ("finished", "exited")


def judge(
    finding: Finding,
    prescription: Prescription,
    trial: Trial,
    before: Mapping[str, Headline],
    noise: Mapping[str, float],
    *,
    endless: bool = False,
) -> tuple[Proof | None, bool]:
    """What a trial shows, and whether it helped: a figure better beyond chance, or the fault gone with no figure worse.

    Args:
        finding: against which the remedy was tried.
        prescription: the remedy.
        trial: the program with it.
        before: the figures without it, the most telling first.
        noise: how far each figure lies from itself under another seed.
        endless: whether the program was ended by its budget without the remedy as well.
    """
    if trial.ending not in ENDED and not (endless and trial.ending == "budget"):
        return None, False
    gone = finding.fault not in trial.faults
    shared = [name for name in before if name in trial.figures and not (prescription.changes_loss and "loss" in name)]
    if not shared:
        return None, gone
    name = shared[0]
    old, new = before[name], Headline(name, *trial.figures[name])
    proof = Proof(name, old.value, new.value, trial.steps)
    if finding.fault in FALSELY_GOOD:
        return proof, gone
    by = max(noise.get(name, 0.0), least(old))
    better, worse = new.beats(old, by), old.beats(new, by)
    return proof, better or (gone and not worse)


def least(figure: Headline) -> float:
    """The least gain that counts: a share of what is missing, or of the figure itself where less is better."""
    if not math.isfinite(figure.value):
        return 0.0
    room = abs(1 - figure.value) if figure.higher_is_better and 0 <= figure.value <= 1 else abs(figure.value)
    return LEAST_GAIN * room


def clearly_better(one: Proof | None, other: Proof | None, before: Mapping[str, Headline], noise: float) -> bool:
    """Whether one remedy's figure beats another's beyond chance; False where they cannot be compared."""
    if one is None or other is None or one.metric != other.metric or one.metric not in before:
        return False
    higher = before[one.metric].higher_is_better
    second = Headline(other.metric, other.after, higher)
    return Headline(one.metric, one.after, higher).beats(second, max(noise, least(second)))


def in_vain(prescription: Prescription, trial: Trial, proof: Proof | None) -> str:
    """A remedy that was tried in vain, said to be so."""
    if trial.ending == "crashed":
        return f"{prescription.change} Tried: the program then crashed ({trial.error[:160]})."
    if trial.ending in ("budget", "late"):
        return f"{prescription.change} Tried: it took too long."
    shown = f" ({proof.metric} {proof.before:.4g} to {proof.after:.4g})" if proof is not None else ""
    return f"{prescription.change} Tried: it did not help{shown}."
