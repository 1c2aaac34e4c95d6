"""Distillation: a small network learns from the answers of a large one, which say more than labels do.

Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network", section 2: both networks' outputs are
divided by a temperature, and the small one's distribution is drawn to the large one's; the labels keep a part of the loss.
Here as in their section 6 (soft targets as regularisers): the student sees few pictures, the teacher has seen many.
Both students must be trained until they have learned these; stopped much earlier, the one with labels alone is ahead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from osler.lab.plain_training import accuracy_of, adam, fit
from osler.lab.searched_networks import network
from osler.lab.small_sets import digits

TEACHER, STUDENT = (32, 2, 32, 2, 64, 1), (8, 1, 8, 1, 16, 1)  # widths and depths in turn


def distillation_loss(
    student: Float[Tensor, "batch classes"],
    teacher: Float[Tensor, "batch classes"],
    labels: Int[Tensor, " batch"],
    *,
    temperature: float = 4.0,
    soft: float = 0.9,
) -> Float[Tensor, ""]:
    """soft * T^2 * KL(teacher / T, student / T) + (1 - soft) * cross-entropy, means over the batch.

    T^2 keeps the gradient's size, which the division makes 1 / T^2 of it (section 2).

    Args:
        student: raw outputs.
        teacher: raw outputs.
        labels: class numbers.
        temperature: T, above 0; higher shows more of what the teacher thinks of wrong classes.
        soft: the teacher's part, from 0 to 1.
    """
    of_student, of_teacher = (log_softmax(outputs / temperature, dim=1) for outputs in (student, teacher))
    drawn = kl_div(of_student, of_teacher, reduction="batchmean", log_target=True)
    return soft * temperature**2 * drawn + (1 - soft) * cross_entropy(student, labels)


@dataclass(frozen=True, slots=True)
class Distilled:
    """Accuracies on held-out digits, means over seeds, and what the networks hold."""

    teacher: float
    scratch: float  # the student from labels alone
    student: float  # the same from the same pictures with the teacher's answers
    teacher_parameters: int
    student_parameters: int


def distilled_digits(*, pictures: int = 80, epochs: int = 40, seeds: Sequence[int] = (0, 1, 2)) -> Distilled:
    """A teacher of 1,200 digits and students of few, alike but for what they learn from."""
    data = digits(1200)
    teacher = fit(network(TEACHER), data.x, data.y, epochs=6, batch=50, optimizer=adam(3e-3))
    few = data.first(pictures)
    with torch.no_grad():
        answers = teacher(few.x)
    told = torch.cat([answers, few.y[:, None]], dim=1)  # the batches carry both

    def from_answers(outputs: Tensor, rows: Tensor) -> Tensor:
        return distillation_loss(outputs, rows[:, :-1], rows[:, -1].long())

    scores: list[tuple[float, float]] = []
    for seed in seeds:
        pair = []
        for targets, loss in ((few.y, cross_entropy), (told, from_answers)):
            student = network(STUDENT, seed=seed)
            fit(student, few.x, targets, epochs=epochs, batch=20, optimizer=adam(1e-2), loss=loss, seed=seed)
            pair.append(accuracy_of(student, data.x_test, data.y_test))
        scores.append((pair[0], pair[1]))
    sizes = (sum(p.numel() for p in network(plan).parameters()) for plan in (TEACHER, STUDENT))
    return Distilled(
        accuracy_of(teacher, data.x_test, data.y_test),
        fmean(score[0] for score in scores),
        fmean(score[1] for score in scores),
        *sizes,
    )
