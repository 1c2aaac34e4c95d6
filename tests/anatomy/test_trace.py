"""An inspection sees every operator and touches nothing."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from osler.anatomy.inspecting import inspect_network
from osler.anatomy.layer import Anatomy
from osler.anatomy.stand_in import stand_in
from osler.models.registry import create_model
from osler.structures.errors import RecipeError
from osler.verbs.inspect import inspect


class Block(nn.Module):
    """A residual block with everything that an inspection could disturb."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
        self.act, self.drop = nn.ReLU(inplace=True), nn.Dropout(0.5)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.drop(self.act(self.norm(self.conv(x)) + x))


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), Block(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))


def rows(anatomy: Anatomy) -> list[tuple[str, str]]:
    return [(layer.path, layer.kind) for layer in anatomy.layers]


def test_each_layer_is_a_row_and_what_a_block_does_itself_too() -> None:
    assert rows(inspect_network(small(), (3, 8, 8))) == [
        ("0", "Conv2d"),
        ("1.conv", "Conv2d"),
        ("1.norm", "BatchNorm2d"),
        ("1", "add"),
        ("1.act", "ReLU"),
        ("2", "AdaptiveAvgPool2d"),
        ("3", "Flatten"),
        ("4", "Linear"),
    ]


def test_branches_are_followed_from_layer_to_layer() -> None:
    counted = inspect_network(small(), (3, 8, 8))
    assert [layer.inputs for layer in counted.layers] == [(-1,), (0,), (1,), (2, 0), (3,), (4,), (5,), (6,)]


def test_nothing_of_the_model_is_touched() -> None:
    model = small().train()
    model[1].norm.eval()  # a mixture of modes must stay a mixture
    model(torch.randn(4, 3, 8, 8)).sum().backward()
    seen: list[str] = []
    model[1].register_forward_hook(lambda *_: seen.append("hook"))
    model[0].register_forward_pre_hook(lambda *_: seen.append("before"))
    state = copy.deepcopy(model.state_dict())
    gradients = [p.grad.clone() for p in model.parameters()]
    modes, parameters = [m.training for m in model.modules()], [id(p) for p in model.parameters()]
    calls, hooks = model[1].calls, len(model[1]._forward_hooks)
    random = torch.get_rng_state()

    inspect(model, (3, 8, 8))

    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    assert [id(p) for p in model.parameters()] == parameters
    assert torch.equal(torch.get_rng_state(), random)
    assert (model[1].calls, len(model[1]._forward_hooks), seen) == (calls, hooks, [])
    assert torch.is_grad_enabled()


def test_a_fallback_touches_nothing_either() -> None:
    model = nn.Sequential(small(), ByValue()).train()
    state, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    assert inspect(model, (3, 8, 8)).how == "one real forward pass"
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(m.training for m in model.modules())


class ByValue(nn.Module):
    """Takes one of two ways, by its input's numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(2, 3), nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) if float(x.detach().sum()) > 1e9 else self.other(x)


def test_a_model_that_decides_by_its_numbers_is_run_for_real_and_that_is_said() -> None:
    counted = inspect_network(nn.Sequential(small(), ByValue()), (3, 8, 8))
    assert counted.layers[-1].path == "1.other"
    assert counted.unused.keys() == {"1.one.weight", "1.one.bias"}
    assert counted.training_bytes is None
    said = " ".join(counted.notes)
    assert "one real forward pass" in said
    assert "not known" in said


def test_a_model_without_numbers_that_decides_by_them_is_refused() -> None:
    with torch.device("meta"):
        model = ByValue()
    with pytest.raises(RecipeError, match="it has no numbers: give it real weights"):
        inspect_network(model, (2,), inputs=torch.zeros(1, 2))


def test_a_persons_network_is_made_again_with_numbers_where_it_needs_them(tmp_path: Path) -> None:
    (tmp_path / "my_net.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, num_classes=5):\n"
        "        super().__init__()\n"
        "        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, num_classes)\n"
        "        self.rates = torch.linspace(0, 1, 4).tolist()\n"  # fails without numbers
        "    def forward(self, x):\n"
        "        return self.fc(self.conv(x).mean((2, 3)))\n"
    )
    counted = inspect(f"{tmp_path / 'my_net.py'}:Net", 16, num_classes=7)
    assert counted.name == "Net"
    assert counted.layers[-1].output_shape == (1, 7)
    assert counted.how == "shapes"


def test_a_size_that_collapses_names_the_layer() -> None:
    with pytest.raises(RecipeError, match=r"the map is 1x1 before features\.30 \(MaxPool2d\).*larger picture"):
        inspect("vgg16", 31)
    with pytest.raises(RecipeError, match=r"4 \(Linear\) is given \[1, 144\].*size that it was made for"):
        inspect_network(nn.Sequential(*list(small())[:2], nn.Identity(), nn.Flatten(), nn.Linear(4, 2)), (3, 8, 8))


def test_a_collapse_names_the_layer_on_a_real_pass_too() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 3), First(), nn.Conv2d(3, 2, 7))
    with pytest.raises(RecipeError, match=r"the map is 6x6 before 2 \(Conv2d\)"):
        inspect_network(model, (3, 8, 8))


class First(nn.Module):
    """Looks at a number and passes its input on."""

    def forward(self, x: Tensor) -> Tensor:
        return x if float(x.sum()) < 1e9 else x * 2


class Unknown(nn.Module):
    """Uses an operator for which there is no rule."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cdist(x, x)


def test_an_operator_without_a_rule_is_listed_and_not_counted_as_nothing() -> None:
    counted = inspect_network(nn.Sequential(nn.Conv2d(3, 3, 3, 2), Unknown(), nn.ReLU()), (3, 16, 16))
    assert sum(counted.unknown.values()) == 1
    (name,) = counted.unknown
    assert "cdist" in name
    assert counted.layer("1").unknown == (name,)
    assert not counted.layers[-1].sees.exact
    assert "operators without a rule" in str(counted)
    assert name in str(counted)


def test_what_is_written_into_a_part_is_seen_in_the_whole() -> None:
    class Written(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            out = x.new_zeros(x.shape)
            out[:, :, ::2] = self.conv(x)[:, :, ::2]
            return out * 2

    last = inspect_network(Written(), (3, 8, 8)).layers[-1]
    assert last.sees is not None
    assert not last.sees.exact


def test_parameters_shared_or_not_used_are_told() -> None:
    shared = nn.Linear(4, 4)
    counted = inspect_network(nn.Sequential(shared, nn.ReLU(), shared), (4,), inputs=torch.zeros(1, 4))
    assert [layer.size for layer in counted.layers] == [20, 0, 0]
    assert counted.multiply_adds == 32
    unused = inspect("googlenet")
    assert all(name.startswith("aux") for name in unused.unused)
    assert unused.parameters == sum(p.numel() for p in create_model("googlenet").parameters())


def test_hooks_of_torch_that_make_weights_stay_and_lazy_layers_are_made() -> None:
    normed = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    old = nn.utils.spectral_norm(nn.Linear(4, 4))
    with pytest.warns(FutureWarning, match="weight_norm"):
        older = nn.utils.weight_norm(nn.Linear(4, 4))
    model = nn.Sequential(normed, nn.AdaptiveAvgPool2d(1), nn.Flatten(), old, older, nn.LazyLinear(6))
    counted = inspect_network(model, (3, 8, 8))
    assert counted.layers[-1].output_shape == (1, 6)
    assert counted.layers[-1].size == 30
    assert isinstance(model[-1].weight, nn.parameter.UninitializedParameter)
    assert counted.unused == {}


def test_a_stand_in_without_numbers_holds_none_and_with_numbers_shares_weights() -> None:
    model = small()
    model[1].table = torch.ones(3)  # a tensor that is neither a parameter nor a buffer
    made = stand_in(model)
    assert all(t.is_meta for t in (*made.parameters(), *made.buffers(), made[1].table))
    assert not made.training
    real = stand_in(model, real=True)
    assert [p.data_ptr() for p in real.parameters()] == [p.data_ptr() for p in model.parameters()]
    assert real[1].norm.running_mean.data_ptr() != model[1].norm.running_mean.data_ptr()


def test_a_model_that_cannot_be_copied_is_refused() -> None:
    model = small()
    model.generator = (n for n in range(3))
    with pytest.raises(RecipeError, match=r"cannot be copied.*generator"):
        inspect_network(model, (3, 8, 8))


def test_other_inputs_than_a_picture() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.mix, self.head = nn.Embedding(50, 8), nn.Conv1d(8, 8, 3, padding=1), nn.Linear(8, 5)

        def forward(self, words: Tensor, *, mask: Tensor) -> Tensor:
            x = self.mix(self.embed(words).transpose(1, 2)).transpose(1, 2)
            return self.head((x * mask[..., None]).sum(1))

    words, mask = torch.zeros(3, 12, dtype=torch.long), torch.ones(3, 12)
    counted = inspect_network(Reader(), (), inputs={"words": words, "mask": mask})
    assert counted.input_shapes == ((3, 12), (3, 12))
    assert counted.layer("mix").sees.size == (3,)
    assert counted.layers[-1].output_shape == (3, 5)
    assert counted.layers[-1].sees.everything
    with pytest.raises(RecipeError, match="at least one tensor"):
        inspect_network(Reader(), (), inputs={"words": 3})


def test_a_script_is_one_layer() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), torch.jit.script(nn.Sequential(nn.Conv2d(4, 5, 3), nn.ReLU())))
    counted = inspect_network(model, (3, 8, 8))
    assert rows(counted)[0] == ("0", "Conv2d")
    assert counted.multiply_adds == 36 * 4 * 27 + 16 * 5 * 36
    assert counted.layers[-1].sees.size == (5, 5)


def test_a_network_of_another_precision_gets_a_picture_of_it() -> None:
    halves = inspect_network(small().bfloat16(), (3, 8, 8))
    assert halves.output_bytes * 2 == inspect_network(small(), (3, 8, 8)).output_bytes


def test_a_network_that_does_nothing_is_an_empty_table() -> None:
    counted = inspect_network(nn.Identity(), (3, 8, 8))
    assert counted.layers == ()
    assert "0 for one picture" in str(counted)


def test_a_compiled_network_is_looked_into() -> None:
    assert rows(inspect_network(torch.compile(small()), (3, 8, 8))) == rows(inspect_network(small(), (3, 8, 8)))
