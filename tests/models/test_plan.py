"""Plans: their text, the module that is made of one, and what is said of a text that is none."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osler.models.lenet import LeNet5
from osler.models.plan import Conv, Full, GlobalAverage, Plan, Pool
from osler.models.plan_network import PlanNetwork
from osler.models.plan_parsing import parse_plan
from osler.models.plan_reading import read_plan
from osler.models.registry import create_model, minimum_size
from osler.nn.activations import activations
from osler.structures.errors import RecipeError

LENET = "input32 | conv5-6 pad0 maxpool2 | conv5-16 pad0 maxpool2 | conv5-120 pad0 gap | fc-84 fc-classes"

words_of_conv = st.tuples(
    st.sampled_from(["conv1-8", "conv3-8", "conv3-16", "conv5-8/2", "conv2-8 pad1", "conv3-8 pad0"]),
    st.sampled_from(["", "groups2", "groups4"]),
    st.sampled_from(["", "bn", "lrn"]),
    st.sampled_from(["", *(name for name in activations if name != "relu")]),
    st.sampled_from(["", "drop0", "drop0.25"]),
    st.sampled_from(["", "x2", "x3"]),
).map(lambda words: " ".join(words[:-1] if "/2" in words[0] else words))  # maps must not shrink to nothing
words_of_pool = st.sampled_from(
    ["", "maxpool2", "avgpool3/2", "maxpool3/2 pad1", "maxpool3/2 ceil lrn", "avgpool2 drop0.5"]
)
stages = st.lists(st.tuples(st.lists(words_of_conv, min_size=1, max_size=2), words_of_pool), min_size=1, max_size=2)
ends = st.sampled_from(
    ["fc-classes", "fc-12 bn drop0.5 x2 fc-classes", "gap fc-classes", "gap drop0.5 fc-8 tanh fc-classes", "conv1-classes gap"]
)  # fmt: skip


@st.composite
def plans(draw: st.DrawFn) -> str:
    """Texts of plans that fit into pictures of 150 pixels, shrunk 64 times at most; layers see 4 channels first."""
    text = ["input150", "conv3-4"]
    for convs, pool in draw(stages):
        text += [*convs, pool, "|"]
    return " ".join([*text, draw(ends)])


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_a_text_gives_its_layers() -> None:
    plan = parse_plan(
        """
        input64   # a note, with conv3 in it
        | conv11-16/4 pad0 lrn maxpool3/2 ceil
        | conv5-32 groups2 bn elu x2 drop0.1 avgpool2 pad1 | gap drop0.2
        fc-10 identity fc-classes
        """
    )
    twice = Conv(5, 32, 1, 2, 2, "bn", "elu", 0.1)
    assert plan == Plan(
        64,
        (
            Conv(11, 16, 4, 0, norm="lrn"),
            Pool("max", 3, 2, ceil=True),
            *(twice, twice),
            Pool("avg", 2, 2, 1),
            GlobalAverage(0.2),
            Full(10, activation="identity"),
            Full(None, activation="identity"),
        ),
    )
    assert str(plan) == (
        "input64 | conv11-16/4 pad0 lrn maxpool3/2 ceil | conv5-32 groups2 bn elu drop0.1 x2 avgpool2 pad1 | gap drop0.2"
        " | fc-10 identity fc-classes"
    )


@settings(max_examples=60, deadline=None)
@given(text=plans())
def test_a_plan_its_text_and_its_network_say_the_same(text: str) -> None:
    plan = parse_plan(text)
    assert parse_plan(str(plan)) == plan
    with torch.device("meta"):
        model = PlanNetwork(5, plan=text)
    assert read_plan(model) == plan
    assert model.plan == str(plan)


@settings(max_examples=25, deadline=None)
@given(text=plans(), width=st.sampled_from([0.125, 0.5, 1.0, 1.7]), larger=st.integers(0, 9), classes=st.integers(1, 9))
def test_maps_have_the_sizes_that_the_plan_works_out(text: str, width: float, larger: int, classes: int) -> None:
    plan = parse_plan(text)
    with torch.device("meta"):
        model = PlanNetwork(classes, plan=text, width=width).eval()
        side = model.minimum_size + larger
        maps = model.features(torch.zeros(1, 3, side, side))
        assert maps.shape[-2:] == (plan.side(side), plan.side(side))
        assert model(torch.zeros(2, 3, side, side)).shape == (2, classes)
    with pytest.raises(RecipeError, match="does not fit"):
        plan.side(model.minimum_size - 1)


def test_the_modules_stand_in_the_order_of_their_arithmetic() -> None:
    """Batch norm before the activation, local response norm after it, dropout last; flattened values drop in the classifier."""
    plan = "input8 conv3-8 bn tanh drop0.5 conv3-8 lrn maxpool2 lrn drop0.25 fc-6 bn drop0.5 fc-classes"
    model = PlanNetwork(3, plan=plan)
    kinds = [type(m).__name__ for m in (*model.features, *model.classifier)]
    assert kinds == [
        *("Conv2d", "BatchNorm2d", "Tanh", "Dropout", "Conv2d", "ReLU", "LocalResponseNorm", "MaxPool2d", "LocalResponseNorm"),
        *("Dropout", "Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear"),
    ]  # fmt: skip
    assert type(model.classifier[0]) is nn.Dropout
    assert model.classifier[0].p == 0.25
    averaged = PlanNetwork(3, plan="input8 conv3-8 drop0.5 gap fc-classes")
    assert type(averaged.features[-1]) is nn.Dropout, "values drop before their mean is taken, as it is written"


def test_lenet_is_a_plan() -> None:
    with torch.device("meta"):
        ours, published = PlanNetwork(10, 1, plan=LENET), LeNet5(num_classes=10)
    assert parameters(ours) == parameters(published) == 61_706
    assert [p.shape for p in ours.parameters()] == [p.shape for p in published.parameters()]
    assert read_plan(published, channels=1) == parse_plan(LENET)
    assert ours.minimum_size == published.minimum_size


def test_lenets_weights_give_its_answers_in_a_plan() -> None:
    torch.manual_seed(0)
    published = LeNet5(num_classes=10).eval()
    ours = PlanNetwork(10, 1, plan=LENET).eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), published.state_dict().values(), strict=True)))
    images = torch.randn(2, 1, 44, 44)
    torch.testing.assert_close(ours(images), published(images))


def test_the_default_plan_is_convnet_with_biases() -> None:
    with torch.device("meta"):
        convnet, plan = create_model("convnet", num_classes=10), create_model("plan", num_classes=10)
    biases = sum(m.out_channels for m in plan.modules() if isinstance(m, nn.Conv2d))
    assert parameters(plan) - biases == parameters(convnet)
    shapes = [m.weight.shape for m in plan.modules() if isinstance(m, nn.Conv2d)]
    assert shapes == [m.weight.shape for m in convnet.modules() if isinstance(m, nn.Conv2d)]


def test_a_plan_is_an_option_of_a_network() -> None:
    text = "input16 conv3-8 maxpool2 fc-classes"
    model = create_model("plan", num_classes=4, in_channels=1, plan=text)
    assert model(torch.zeros(2, 1, 16, 16)).shape == (2, 4)
    assert (model.input_size, minimum_size("plan", plan=text)) == (16, 2)
    assert parameters(model) == (9 * 8 + 8) + (8 * 8 * 8 * 4 + 4)


def test_width_leaves_groups_whole() -> None:
    text = "input8 conv3-24 conv3-48 groups3 conv3-96 groups48 fc-40 fc-classes"
    model = PlanNetwork(7, plan=text, width=0.25)
    convs = [m for m in model.features if isinstance(m, nn.Conv2d)]
    assert [c.groups for c in convs] == [1, 3, 48]
    assert [c.out_channels for c in convs] == [24, 48, 48], "the least that 8 and the groups on either side divide"
    assert [m.out_features for m in model.classifier if isinstance(m, nn.Linear)] == [16, 7]
    assert model(torch.zeros(1, 3, 8, 8)).shape == (1, 7)


def test_channels_of_pictures_must_fit_the_first_groups() -> None:
    text = "input8 conv3-9 groups3 fc-classes"
    assert PlanNetwork(2, 3, plan=text)
    with pytest.raises(RecipeError, match="pictures of 1 channels cannot be parted into 3 groups"):
        PlanNetwork(2, 1, plan=text)


@pytest.mark.parametrize("end", ["conv1-classes gap", "gap fc-classes"])
def test_raw_outputs_start_near_unit_size(end: str) -> None:
    torch.manual_seed(0)
    model = PlanNetwork(400, plan=f"input8 conv3-64 {end}")
    head = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))][-1]
    assert float(head.weight.detach().std()) == pytest.approx(1 / 8, rel=0.05)


# A text, the line and column of its fault, and words of what is said.
FAULTS = [
    ("", 1, 1, r"ends before its raw outputs.*Allowed here: the side of the pictures"),
    ("conv3-64 fc-classes", 1, 1, r"conv3-64 cannot stand here.*input224"),
    ("input32 fc-10 fc-classes", 1, 9, r"fc-10 cannot stand here.*Allowed here: a convolution"),
    ("input32 conv3 fc-classes", 1, 9, r"'conv3' is no word of a plan; did you mean a convolution such as conv3-64"),
    ("input32\n| conv3-8\n| pol2 fc-classes", 3, 3, r"'pol2'.*did you mean a pooling such as maxpool2"),
    ("input32 conv3-8 maxpool2 maxpool2 fc-classes", 1, 26, r"maxpool2 cannot stand here.*Allowed here: a convolution"),
    ("input32 conv3-8 bn lrn fc-classes", 1, 20, r"bn has been said of conv3-8 already"),
    ("input32 conv3-8 maxpool2 bn fc-classes", 1, 26, r"bn cannot be said of maxpool2.*pad1, ceil, lrn, drop0\.5"),
    ("input32 x2 conv3-8 fc-classes", 1, 9, r"x2 cannot be said of input32"),
    ("bn input32 conv3-8 fc-classes", 1, 1, r"bn cannot be said of the beginning"),
    ("input32 conv4-8 fc-classes", 1, 9, r"no padding keeps the size under an even kernel"),
    ("input32 conv3-8 conv3-9 groups3 fc-classes", 1, 25, r"8 channels cannot be parted into 3 groups"),
    ("input32 conv3-9 conv3-8 groups3 fc-classes", 1, 25, r"8 channels cannot be parted into 3 groups"),
    ("input32 conv3-8 maxpool3/2 pad2 fc-classes", 1, 28, r"maxpool3/2 takes at most pad1"),
    ("input8 conv3-8 maxpool2\n  conv5-8 pad0 fc-classes", 2, 3, r"conv5-8 does not fit: the map has 4x4 positions"),
    ("input8 conv5-8 pad0 x3 fc-classes", 1, 8, r"conv5-8 does not fit: the map has 4x4 positions"),
    ("input8 conv3-8 fc-classes fc-10", 1, 27, r"fc-10 cannot stand here.*the end of the plan"),
    ("input8 conv3-8 fc-10 # fc-classes", 1, 21, r"ends before its raw outputs"),
    ("input8 conv1-classes", 1, 21, r"ends before its raw outputs.*Allowed here: gap"),
    ("input8 conv1-classes gap fc-classes", 1, 26, r"fc-classes cannot stand here.*the end of the plan"),
    ("input8 conv3-8 sigmod fc-classes", 1, 16, r"'sigmod'.*did you mean sigmoid\?"),
    ("input8 conv3-8 drop1 fc-classes", 1, 16, r"'drop1'.*did you mean drop0\.5\?"),
    ("input8 conv3-0 fc-classes", 1, 8, r"'conv3-0' is no word"),
    ("input8 input8 conv3-8 fc-classes", 1, 8, r"input8 cannot stand here"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "said"), FAULTS, ids=[f[0] or "empty" for f in FAULTS])
def test_a_text_that_is_no_plan_is_told_where(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(RecipeError, match=f"(?s)line {line}, column {column}: .*{said}") as caught:
        parse_plan(text)
    shown, mark = str(caught.value).splitlines()[1:3]
    assert shown.strip() == (text.splitlines() or [""])[line - 1].strip()
    assert mark.index("^") - 4 == column - 1


@given(text=st.text("inputcov-gapfcdrlsxe0123456789/ |\n#", max_size=40))
def test_any_other_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(RecipeError, match=r"The plan does not parse at line \d+, column \d+"):
        parse_plan(text)


class Added(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.average, self.head = nn.Conv2d(3, 3, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Linear(3, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.average(images + self.conv(images)).flatten(1))


class AddedInPlace(Added):
    """The values stand in the same memory, and are others."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.conv(images)
        x += images
        return self.head(self.average(x).flatten(1))


class Remembering(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.GRU(24, 2, batch_first=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.rows(images.movedim(1, 2).flatten(2))[1][0]


class Turned(Added):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.average(self.conv(images).transpose(2, 3)).flatten(1))


def test_modules_that_work_in_place_are_read() -> None:
    layers = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Dropout(0.5, inplace=True), nn.Flatten()
    model = nn.Sequential(*layers, nn.Linear(8 * 36, 2)).train()
    assert str(read_plan(model, 8)) == "input8 | conv3-8 pad0 bn drop0.5 | fc-classes"
    assert all(m.training for m in model.modules())


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (AddedInPlace(), r"AddedInPlace is not plain: average \(AdaptiveAvgPool2d\) does not see just what conv"),
        (Remembering(), r"not plain: GRU sees or gives something other than one tensor"),
        (Turned(), r"Turned is not plain: average \(AdaptiveAvgPool2d\) does not see just what conv"),
        (Added(), r"Added is not plain: average \(AdaptiveAvgPool2d\) does not see just what conv \(Conv2d\) gives"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, dilation=2)), r"0 \(Conv2d\) is dilated"),
        (nn.Sequential(nn.Conv2d(3, 4, (1, 3))), r"not the same in both directions"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)), r"no word describes 2 \(BatchNorm2d\)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), r"fc-classes cannot stand here"),
        (nn.Sequential(nn.Flatten()), r"calls no layers"),
    ],
)
def test_a_network_without_a_plan_is_told_so(model: nn.Module, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        read_plan(model, 8)
    assert not any(m._forward_hooks for m in model.modules())
