"""One suite for every registered network, also for those that are added later.

Sizes are checked of all, without weights. How a network behaves is checked of the smallest of each family in the ordinary
tests, and of all in the slow ones; networks that can be made narrow are.
"""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import nn

from osler.models.data_initialisation import NeedsData
from osler.models.registry import create_model, family, feature_maps, list_models, minimum_size, model_options
from osler.nn.table_conv import TableConv2d

NAMES = list_models()
CLASSES = 7
NARROW = 0.125
ROW = re.compile(r"\| (\S+) \| (\d+)x(\d+)x(\d+) \| (\d+) \| ([\d,]+) \| ([\d,]+) \|")
HEADERS = {row[1]: row for name in NAMES for row in ROW.finditer(family(name).__doc__)}


def small(name: str) -> dict[str, object]:
    """Options that make a network as narrow as it goes."""
    return {"width": NARROW} if "width" in model_options(name) else {}


def parameters(name: str) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in create_model(name, num_classes=CLASSES).parameters())


def representatives() -> list[object]:
    """Every name; all but the smallest of each family are slow."""
    smallest = {family(name): name for name in sorted(NAMES, key=parameters, reverse=True)}
    return [name if name in smallest.values() else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]


every_network = pytest.mark.parametrize("name", representatives())


def make(name: str, seed: int = 0, **options: object) -> nn.Module:
    torch.manual_seed(seed)
    return create_model(name, num_classes=CLASSES, **small(name), **options)


def pictures(name: str, batch: int = 4, larger: int = 0) -> torch.Tensor:
    side = minimum_size(name, **small(name)) + larger
    return torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(1))


def assert_same_answers(one: torch.Tensor, other: torch.Tensor) -> None:
    """Equal but for rounding, which is relative to how far answers differ among themselves."""
    torch.testing.assert_close(one, other, rtol=1e-4, atol=max(1e-5, 1e-3 * float(other.std())))


def tupled(answer: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """The answers in training: one, or with auxiliary classifiers several."""
    return answer if isinstance(answer, tuple) else (answer,)


def counted_multiply_adds(model: nn.Module, images: torch.Tensor) -> int:
    """Of convolutions and linear layers for one picture: a product for each weight at each position."""
    total = 0

    def count(module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(module, TableConv2d):
            total += module.weight.numel() * output[0, 0].numel()
        else:
            total += output[0].numel() * module.weight[0].numel()

    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear, TableConv2d)):
            module.register_forward_hook(count)
    with torch.no_grad():
        model.eval()(images)
    return total


@pytest.mark.parametrize("name", NAMES)
def test_the_header_of_its_file_tells_the_counts(name: str) -> None:
    assert name in HEADERS, f"the header of {family(name).__name__} has no row for {name}"
    channels, height, width, classes, parameters, multiply_adds = (
        int(x.replace(",", "")) for x in HEADERS[name].groups()[1:]
    )
    with torch.device("meta"):  # no weights are made
        model = create_model(name, num_classes=classes, in_channels=channels)
        assert sum(p.numel() for p in model.parameters()) == parameters
        assert counted_multiply_adds(model, torch.zeros(1, channels, height, width)) == multiply_adds
        assert model.input_size == height or classes != 1000


def test_no_header_tells_of_a_network_that_does_not_exist() -> None:
    assert set(HEADERS) == set(NAMES)


@every_network
def test_gives_raw_outputs_from_the_smallest_size_on(name: str) -> None:
    model = make(name).eval()
    negative = False
    for larger in (0, 1, 13):
        outputs = model(pictures(name, 2, larger))
        assert outputs.shape == (2, CLASSES)
        assert outputs.isfinite().all()
        negative |= bool((outputs < 0).any())
    assert negative, "raw outputs are not probabilities"


@every_network
def test_takes_grey_pictures(name: str) -> None:
    model = make(name, in_channels=1).eval()
    assert model(pictures(name, 2)[:, :1]).shape == (2, CLASSES)


@every_network
def test_every_trained_parameter_gets_a_gradient(name: str) -> None:
    model = make(name).train()
    images = pictures(name, 16, larger=8)
    answer = model(images)
    sum(nn.functional.cross_entropy(raw, torch.arange(16) % CLASSES) for raw in tupled(answer)).backward()
    for key, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, key
            assert parameter.grad.isfinite().all(), key
            assert parameter.grad.any(), key


@every_network
def test_evaluation_leaves_the_state_as_it_is(name: str) -> None:
    model = make(name).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.eval()
    with torch.no_grad():
        model(pictures(name))
    model.train()
    assert all(m.training for m in model.modules())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


@every_network
def test_a_picture_is_judged_alone_as_in_a_batch(name: str) -> None:
    model = make(name).eval()
    images = pictures(name, 3)
    with torch.no_grad():
        together = model(images)
        alone = torch.cat([model(image[None]) for image in images])
    assert_same_answers(alone, together)


@every_network
def test_the_seed_determines_weights_and_outputs(name: str) -> None:
    one, two, other = make(name, 3), make(name, 3), make(name, 4)
    images = pictures(name)
    with torch.no_grad():
        torch.manual_seed(7)
        first = one.train()(images)
        torch.manual_seed(7)  # for dropout
        second = two.train()(images)
        assert all(torch.equal(a, b) for a, b in zip(tupled(first), tupled(second), strict=True))
        assert not torch.equal(one.eval()(images), other.eval()(images))


@every_network
def test_weights_survive_a_file(name: str) -> None:
    one, two = make(name, 1).train(), make(name, 2).eval()
    one(pictures(name))  # so that running statistics are not as at the start
    content = save({k: v.contiguous() for k, v in one.state_dict().items()})
    two.load_state_dict(load(content))
    with torch.no_grad():
        assert torch.equal(one.eval()(pictures(name)), two(pictures(name)))


@every_network
def test_channels_last_changes_no_answer(name: str) -> None:
    model = make(name).eval()
    images = pictures(name)
    with torch.no_grad():
        plain = model(images)
        fast = model.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))
    assert_same_answers(fast, plain)


@every_network
def test_feature_maps_are_as_hooks_measure_them(name: str) -> None:
    model = make(name).eval()
    described = feature_maps(model)
    assert [m.stride for m in described] == sorted(m.stride for m in described), "finest first"
    seen: dict[str, torch.Size] = {}
    for module, description in ((model.get_submodule(m.module), m) for m in described):
        module.register_forward_hook(lambda _m, _i, output, key=description.module: seen.update({key: output.shape}))
    step = 2 * max(m.stride for m in described)
    with torch.no_grad():
        model(pictures(name))
        small = dict(seen)
        model(pictures(name, larger=step))
    for m in described:
        assert seen[m.module][1] == m.channels
        assert seen[m.module][2] - small[m.module][2] == step // m.stride
        assert seen[m.module][3] - small[m.module][3] == step // m.stride


@every_network
def test_below_the_smallest_size_it_cannot_see(name: str) -> None:
    """The declared size is not larger than need be: one pixel less fails, or is less than a stride."""
    model = make(name).eval()
    last = feature_maps(model)[-1]
    side = minimum_size(name, **small(name)) - 1
    sizes: list[int] = []
    model.get_submodule(last.module).register_forward_hook(lambda _m, _i, output: sizes.append(output.shape[-1]))
    try:
        with torch.no_grad():
            model(torch.randn(1, 3, side, side))
    except RuntimeError:
        return
    assert side < last.stride, f"{name} works at {side} pixels with a last map of {sizes}, a stride of {last.stride}"


@every_network
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_any_number_of_classes(name: str, data: st.DataObject) -> None:
    classes = data.draw(st.integers(1, 300))
    model = create_model(name, num_classes=classes, **small(name)).eval()
    assert model(pictures(name, 1)).shape == (1, classes)


@every_network
def test_learning_rate_patterns_name_parameters(name: str) -> None:
    from fnmatch import fnmatchcase

    model = make(name)
    for pattern in getattr(model, "lr_scales", {}):
        named = [k for k, p in model.named_parameters() if fnmatchcase(k, pattern) and p.requires_grad]
        assert named, f"{pattern} names no trained parameter"
    if isinstance(model, NeedsData):
        model.initialise_from_data(pictures(name, 8, larger=4))
        assert model(pictures(name)).isfinite().all()


@pytest.mark.slow
@every_network
def test_the_compiler_sees_one_graph(name: str) -> None:
    model = make(name).eval()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(pictures(name)), model(pictures(name)))
    torch.compiler.reset()
