import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from osler.lab.compression import compressed_digits, compression_table
from osler.lab.distillation import distillation_loss, distilled_digits
from osler.lab.int8_weights import quantised_by_channel, stored_bytes, with_int8_weights
from osler.lab.plain_training import seeded
from osler.nn.convolution import conv_norm_act


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.craft("LW15")
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 999), scale=st.floats(1e-4, 1e4), shape=st.sampled_from([(5, 7), (4, 3, 3, 3), (6, 1, 5, 5)])
)
def test_a_weight_is_at_most_half_a_step_of_its_own_channel_away(
    seed: int, scale: float, shape: tuple[int, ...]
) -> None:
    weight = scale * normal(*shape, seed=seed)
    weight *= 10.0 ** torch.arange(shape[0]).view(-1, *[1] * (len(shape) - 1)) / 100  # channels of very different size
    whole, steps = quantised_by_channel(weight)
    assert whole.dtype == torch.int8
    assert steps.numel() == shape[0]
    assert whole.abs().flatten(1).amax(1).eq(127).all()  # each channel uses the whole range, and never -128
    assert whole.min() >= -127
    assert ((whole * steps - weight).abs() <= 0.5001 * steps).all()


def test_what_eight_bits_can_say_comes_back_exactly() -> None:
    whole = torch.tensor([[127, -127, 3, 0], [1, 2, -64, 127], [0, 0, 0, 0]], dtype=torch.int8)
    steps = torch.tensor([[0.5], [0.25], [1.0]])
    again, found = quantised_by_channel(whole * steps)
    assert torch.equal(again, whole)
    assert torch.equal(found, steps)


@pytest.mark.craft("LW15")
def test_int8_weights_are_stored_as_such_and_compute_nearly_the_same() -> None:
    with seeded(0):
        model = nn.Sequential(conv_norm_act(3, 64), conv_norm_act(64, 96), nn.Flatten(), nn.Linear(96 * 16, 10)).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    small, pictures = with_int8_weights(model), normal(8, 3, 4, 4)
    stored = [value for value in small.state_dict().values() if value.ndim > 1 and value.shape[1:].numel() > 1]
    assert [value.dtype for value in stored] == [torch.int8] * 3
    whole = 64 * 3 * 9 + 96 * 64 * 9 + 10 * 96 * 16
    outputs = 64 + 96 + 10
    assert stored_bytes(small) == whole + 4 * outputs + 4 * outputs  # steps and biases are floating point
    with torch.no_grad():
        error = (small(pictures) - model(pictures)).abs().max() / model(pictures).abs().max()
    assert 0 < error < 0.02
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


@pytest.mark.craft("LW15")
def test_size_and_accuracy_before_and_after_are_stated() -> None:
    int8, cut, mended, both = rows = compressed_digits()
    assert int8.size == pytest.approx(1 / 4, abs=0.02)
    assert int8.filters[0] == int8.filters[1]
    assert int8.accuracy[0] > 0.95
    assert int8.drop == int8.accuracy[0] - int8.accuracy[1]
    assert abs(int8.drop) < 0.02
    for row in (cut, mended):
        assert row.filters[1] == row.filters[0] / 2
        assert row.size == pytest.approx(1 / 4, abs=0.03)  # half of the filters, which read half of the channels
    assert mended.drop < min(0.03, cut.drop)  # what is left has to be trained on
    assert both.size < 0.09
    assert both.drop < 0.04
    table = compression_table(rows)
    for row in rows:
        assert f"{row.stored[0]:,} -> {row.stored[1]:,}" in table
        assert f"{100 * row.drop:.2f}" in table


@pytest.mark.craft("LW15")
def test_a_student_beats_the_same_student_from_scratch() -> None:
    """The same start, pictures, labels and steps; only the teacher's answers are more."""
    told = distilled_digits(pictures=80)
    assert told.student > told.scratch + 0.015
    assert told.teacher > told.student
    assert told.student_parameters < told.teacher_parameters / 10


def test_without_the_teachers_part_the_loss_is_that_of_the_labels() -> None:
    student, teacher, labels = normal(6, 4), normal(6, 4, seed=1), torch.tensor([0, 1, 2, 3, 0, 1])
    assert torch.equal(distillation_loss(student, teacher, labels, soft=0.0), cross_entropy(student, labels))
    assert (
        abs(float(distillation_loss(student, student + 3, labels, soft=1.0))) < 1e-5
    )  # a shift of all changes nothing
    assert distillation_loss(student, teacher, labels, soft=1.0) > 0.01


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_loss_by_its_definition(temperature: float) -> None:
    student, teacher = [1.0, -2.0, 0.5], [0.3, 0.1, -1.0]

    def softened(outputs: list[float]) -> list[float]:
        powers = [math.exp(value / temperature) for value in outputs]
        return [power / sum(powers) for power in powers]

    p, q = softened(teacher), softened(student)
    divergence = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    right = -(student[2] - math.log(sum(math.exp(value) for value in student)))
    outputs = torch.tensor([student]), torch.tensor([teacher])
    loss = distillation_loss(*outputs, torch.tensor([2]), temperature=temperature, soft=0.7)
    assert float(loss) == pytest.approx(0.7 * temperature**2 * divergence + 0.3 * right, rel=1e-5)


def test_at_a_high_temperature_outputs_themselves_are_matched() -> None:
    """Hinton et al. 2015, equation 4: the gradient tends to (student - teacher) / classes, for outputs of mean 0."""
    student, teacher = (normal(1, 8, seed=seed).double() for seed in (0, 1))
    student, teacher = ((v - v.mean()).requires_grad_() for v in (student, teacher))
    distillation_loss(student, teacher, torch.tensor([0]), temperature=1e4, soft=1.0).backward()
    torch.testing.assert_close(student.grad, (student - teacher).detach() / 8, rtol=1e-3, atol=1e-5)
