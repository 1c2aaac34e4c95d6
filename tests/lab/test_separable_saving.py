import pytest

from osler.lab.separable_saving import saving_text, separable_saving
from osler.ops.convolution_cost import convolution_cost


@pytest.mark.craft("LW02")
def test_the_worked_example_prints_its_four_numbers() -> None:
    """VGG's convolution and MobileNet's in its place, on 112x112x64 to 128 channels."""
    saving = separable_saving()
    assert (saving.full, saving.separable) == (924_844_032, 109_985_792)
    assert saving.ratio == pytest.approx(0.1189, abs=5e-5)
    assert 1 / 9 < saving.ratio < 1 / 8
    text = saving_text(saving)
    for number in ("924,844,032", "109,985,792", "0.1189", "1/8.41"):
        assert number in text


@pytest.mark.craft("LW02")
@pytest.mark.parametrize(("inputs", "outputs", "kernel", "side"), [(64, 128, 3, 112), (5, 7, 5, 11), (32, 1024, 3, 7)])
def test_counted_and_by_formula_are_the_same(inputs: int, outputs: int, kernel: int, side: int) -> None:
    saving, positions = separable_saving(inputs, outputs, kernel=kernel, side=side), (side, side)
    assert saving.full == convolution_cost(inputs, outputs, kernel, positions).multiply_adds
    assert saving.depthwise == convolution_cost(inputs, inputs, kernel, positions, groups=inputs).multiply_adds
    assert saving.pointwise == convolution_cost(inputs, outputs, 1, positions).multiply_adds
    assert saving.ratio == pytest.approx(saving.formula)
