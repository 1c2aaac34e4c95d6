"""Edits of programs that stop with a known error: the exact text after them."""

import pytest
from patched import changed
from planted import HEAD
from remedy_programs import FILE

from osler.doctor.case import Case
from osler.doctor.mending.prescription import edited, prescriptions
from osler.doctor.script_reading import ScriptReading
from osler.structures.finding import Finding, Where
from osler.vitals.evidence import Ending, Evidence, LayerSeen, ModelSeen, Site

PROGRAM = (
    HEAD.strip()
    + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)  # sees
        self.norm = nn.BatchNorm2d(16)
        self.fc = nn.Linear(8 * 5 * 5, 10)
    def forward(self, x):
        \"\"\"One layer.\"\"\"
        x = self.norm(self.conv(x))
        x += 1  # shift
        x = x.view(-1, 8 * 5 * 5)
        return self.fc(x)
net = Net()
criterion = nn.CrossEntropyLoss()
for x, y in batches:
    out = net(x)
    loss = criterion(out, y)  # scored
    loss.backward()
    shown = out.numpy()
    net.fc.weight.mul_(2)
print(criterion(net(x), y))
"""
)
OPTIONS = {
    "conv": ("Conv2d", {"in_channels": 1}), "norm": ("BatchNorm2d", {"num_features": 16}), "fc": ("Linear", {"in_features": 200}),
}  # fmt: skip


def mended(error: str, at: str, layer: str | None = None, source: str = PROGRAM, which: int = 0) -> str:
    """The program after a way out of an error that came up at a line while a layer was running."""

    def site(text: str) -> Site:
        return Site(FILE, next(k for k, line in enumerate(source.splitlines(), 1) if text in line))

    layers = {
        name: LayerSeen(name, kind, site(f"self.{name} = "), options, parameters=(f"{name}.weight",))
        for name, (kind, options) in OPTIONS.items()
        if f"self.{name} = " in source
    }
    ending = Ending("crashed", 1, error, "", site(at), (layer,) if layer else ())
    evidence = Evidence(FILE, source, models=[ModelSeen("net", "Net", None, layers)], ending=ending)
    finding = Finding("crash", "critical", error, Where(FILE, site(at).line, layer), (), 0.99, ())
    offers = prescriptions(finding, Case(evidence, ScriptReading(source, FILE)))
    edit = edited(source, [offers[which]])
    assert edit is not None
    return edit.source


@pytest.mark.parametrize(
    ("error", "at", "layer", "pairs"),
    [
        ("mat1 and mat2 shapes cannot be multiplied (32x288 and 200x10)", "self.fc(x)", "fc",
         [("nn.Linear(8 * 5 * 5, 10)", "nn.Linear(288, 10)")]),
        ("expected input[32, 3, 7, 7] to have 1 channels, but got 3 channels instead", "self.conv(x)", "conv",
         [("nn.Conv2d(1, 8, 3)  # sees", "nn.Conv2d(3, 8, 3)  # sees")]),
        ("expected input[1, 32, 7, 7] to have 1 channels, but got 32 channels instead", "self.conv(x)", "conv",
         [("self.conv(x)", "self.conv(x.unsqueeze(1))")]),
        ("expected input[32, 7, 7, 1] to have 1 channels, but got 7 channels instead", "self.conv(x)", "conv",
         [("self.conv(x)", "self.conv(x.permute(0, 3, 1, 2))")]),
        ("Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [32, 49]", "self.conv(x)", "conv",
         [("self.conv(x)", "self.conv(x.view(-1, 1, 7, 7))")]),
        ("running_mean should contain 8 elements not 16", "self.norm(", "norm", [("BatchNorm2d(16)", "BatchNorm2d(8)")]),
        ("Expected input batch_size (36) to match target batch_size (25)", "criterion(out", None,
         [("x.view(-1, 8 * 5 * 5)", "x.flatten(1)"), ("nn.Linear(8 * 5 * 5, 10)", "nn.Linear(288, 10)")]),
        ("view size is not compatible with input tensor's size and stride", "x.view", None, [("x.view(", "x.reshape(")]),
        ("mat1 and mat2 must have the same dtype, but got Double and Float", "self.fc(x)", "fc",
         [("        x = self.norm", "        x = x.float()\n        x = self.norm")]),
        ("expected target dtype to be Long or Byte, but got Int", "criterion(out", None,
         [("criterion(out, y)", "criterion(out, y.long())"), ("criterion(net(x), y)", "criterion(net(x), y.long())")]),
        ("expected scalar type Long but found Float", "criterion(out", None,
         [("criterion(out, y)", "criterion(out, y.long())"), ("criterion(net(x), y)", "criterion(net(x), y.long())")]),
        ("0D or 1D target tensor expected, multi-target not supported", "criterion(out", None,
         [("criterion(out, y)", "criterion(out, y.squeeze(1))"), ("criterion(net(x), y)", "criterion(net(x), y.squeeze(1))")]),
        ("Target size (torch.Size([8])) must be the same as input size (torch.Size([8, 1]))", "criterion(out", None,
         [("out = net(x)", "out = net(x).squeeze(1)"), ("criterion(net(x), y)", "criterion(net(x).squeeze(1), y)")]),
        ("grad can be implicitly created only for scalar outputs", "loss.backward", None,
         [("loss.backward()", "loss.mean().backward()")]),
        ("a variable needed has been modified by an inplace operation", "loss.backward", None,
         [("x += 1  # shift", "x = x + (1)  # shift")]),
        ("Can't call numpy() on Tensor that requires grad.", "out.numpy", None, [("out.numpy()", "out.detach().numpy()")]),
        ("a leaf Variable that requires grad is being used in an in-place operation.", "mul_", None,
         [("    net.fc.weight.mul_(2)", "    with torch.no_grad():\n        net.fc.weight.mul_(2)")]),
        ("Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!", "self.conv(x)", "conv",
         [("net = Net()", 'net = Net().to("cuda")')]),
    ],
)  # fmt: skip
def test_a_known_error_is_mended_where_it_stands(
    error: str, at: str, layer: str | None, pairs: list[tuple[str, str]]
) -> None:
    assert mended(error, at, layer) == changed(PROGRAM, *pairs)


def test_data_follow_a_network_that_was_moved() -> None:
    source = PROGRAM.replace("net = Net()", "device = torch.device('cuda')\nnet = Net()\nnet.to(device)")
    after = mended("Expected all tensors to be on the same device", "self.conv(x)", "conv", source)
    assert after == changed(
        source, ("out = net(x)", "out = net(x.to(device))"), ("criterion(out, y)", "criterion(out, y.to(device))"),
        ("criterion(net(x), y)", "criterion(net(x.to(device)), y.to(device))"),
    )  # fmt: skip


def test_pictures_are_flattened_before_the_first_linear_layer() -> None:
    source = PROGRAM.replace("        x = x.view(-1, 8 * 5 * 5)\n", "")
    after = mended("mat1 and mat2 shapes cannot be multiplied (1280x5 and 200x10)", "self.fc(x)", "fc", source)
    assert after == changed(source, ("self.fc(x)", "self.fc(x.flatten(1))"))


def test_a_state_that_is_carried_over_is_detached() -> None:
    source = "h = None\nfor x, y in batches:\n    out, h = net(x, h)\n    loss = f(out, y)\n    loss.backward()\n"
    after = mended("Trying to backward through the graph a second time", "loss.backward", None, source)
    assert after == changed(source, ("net(x, h)\n", "net(x, h)\n    h = h.detach()\n"))


def test_a_loss_is_made_before_it_is_called() -> None:
    source = "for x, y in batches:\n    loss = nn.CrossEntropyLoss(net(x), y)  # scored\n"
    after = mended("Boolean value of Tensor with more than one value is ambiguous", "loss =", None, source)
    assert after == changed(source, ("nn.CrossEntropyLoss(net", "nn.CrossEntropyLoss()(net"))


def test_an_unknown_error_gets_no_edit() -> None:
    with pytest.raises(IndexError):
        mended("something else went wrong", "loss.backward")
