"""Each public network that ours can be: their keys, their count, their answers for the same weights."""

import pytest
import torch
from reference_filling import FACTS, facts, filled, picture
from torch import nn

from osler.models.public_names import PublicNetwork, find_public, published
from osler.models.registry import create_model
from osler.structures.errors import UnknownNameError

# Filled by the rule its function is chaotic: see the test of that name. Its outputs cannot be compared one by one.
CHAOTIC = "timm/legacy_senet154"
LARGE = 30_000_000  # parameters from which the numerical comparison runs with the slow tests
KNOWN = [p for p in published() if f"{p.library}/{p.name}" in facts()]

needs_facts = pytest.mark.skipif(not facts(), reason=f"{FACTS} is not there: the facts of public networks")


def name(public: PublicNetwork) -> str:
    return f"{public.library}-{public.name}"


def fact(public: PublicNetwork) -> dict:
    return facts()[f"{public.library}/{public.name}"]


def shapes(public: PublicNetwork) -> dict[str, tuple[int, ...]]:
    return {key: tuple(shape) for key, shape in fact(public)["state"]}


def sized(public: PublicNetwork) -> object:
    slow = (pytest.mark.slow,) if fact(public)["parameters"] > LARGE else ()
    return pytest.param(public, marks=slow, id=name(public))


@needs_facts
def test_every_network_of_the_reference_is_ours_too() -> None:
    assert {f"{p.library}/{p.name}" for p in KNOWN} == set(facts())


@needs_facts
@pytest.mark.parametrize("public", KNOWN, ids=name)
def test_keys_shapes_and_parameters_are_theirs(public: PublicNetwork) -> None:
    with torch.device("meta"):
        model = create_model(public.network, num_classes=1000, **public.options)
    ours = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    theirs = {public.key(key): shape for key, shape in shapes(public).items()}
    assert len(theirs) == len(shapes(public)), "two of their keys are one of ours"
    ignored = {k for k in ours.keys() ^ theirs.keys() if k.endswith("num_batches_tracked")}
    assert {k: v for k, v in ours.items() if k not in ignored} == {k: v for k, v in theirs.items() if k not in ignored}
    assert sum(p.numel() for p in model.parameters()) == fact(public)["parameters"]


def filled_model(public: PublicNetwork) -> nn.Module:
    with torch.device("meta"):
        model = create_model(public.network, num_classes=1000, **public.options)
    state = public.state({key: filled(key, shape) for key, shape in shapes(public).items()})
    for key, value in model.state_dict().items():
        if key.endswith("num_batches_tracked"):
            state.setdefault(key, torch.zeros_like(value, device="cpu"))
    model.load_state_dict(state, assign=True)
    return model.eval()


@needs_facts
@pytest.mark.parametrize("public", [sized(p) for p in KNOWN if f"{p.library}/{p.name}" != CHAOTIC])
def test_the_same_weights_give_their_answers(public: PublicNetwork) -> None:
    known, model = fact(public), filled_model(public)
    with torch.inference_mode():
        raw = model(picture(known["input_size"])).double()[0]
    spread = known["logits_std"]
    torch.testing.assert_close(raw[:8], torch.tensor(known["logits_first8"]).double(), rtol=0, atol=1e-4 * spread)
    assert float(raw.mean()) == pytest.approx(known["logits_mean"], abs=1e-4 * spread)
    assert float(raw.std()) == pytest.approx(spread, rel=2e-3)  # with or without Bessel's correction
    assert int(raw.argmax()) == known["logits_argmax"]


@needs_facts
@pytest.mark.slow
def test_one_network_is_chaotic_and_agrees_in_the_spread_of_its_answers() -> None:
    """Rounding alone moves the answers of SENet-154 by as much as they differ: no other float32 run could equal one."""
    library, _, name = CHAOTIC.partition("/")
    public = find_public(library, name)
    known, model = fact(public), filled_model(public)
    image = picture(known["input_size"])
    with torch.inference_mode():
        single, double = model(image).double()[0], model.double()(image.double())[0]
    assert float((single - double).abs().max()) > 0.1 * float(double.std())
    assert float(single.std()) == pytest.approx(known["logits_std"], rel=0.05)


def test_an_unknown_public_network_offers_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="resnet50"):
        find_public("torchvision", "resnet500")
