"""Writes docs/public_networks.md: our networks beside those that the world publishes, measured here.

    python tools/public_networks_page.py

needs the facts of those networks in ../shared/reference; without them it says so and leaves the page as it is.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "models"))

from reference_filling import facts, filled, picture  # noqa: E402  (the rule by which weights are filled)

from osler.models.public_names import PublicNetwork, published  # noqa: E402
from osler.models.registry import create_model  # noqa: E402

PAGE = ROOT / "docs" / "public_networks.md"
HEAD = """# Public networks

Written by `python tools/public_networks_page.py` (two minutes). Each network of `../shared/reference/classification.json`
(torchvision 0.29.2 and timm 1.0.31) beside ours: the same parameters under the same keys, and for weights and a picture that
a written rule fills, the same outputs. *Apart* is the largest difference of the first eight outputs, as a share of the
standard deviation of all of them.

Multiply-adds are those of convolutions and linear layers for one picture. fvcore adds two for each value that a batch norm
puts out, and one for each value that an adaptive average pooling takes in; with these its count is ours (*left* is what
remains: timm's squeeze-and-excitation takes its means without such a layer, and our pooling layers are then counted in vain).

Of `timm/legacy_senet154` outputs cannot be compared: filled so, 154 layers without trained weights are chaotic, and
already our own outputs in float32 and float64 differ by as much as outputs differ among themselves (*apart* of about 1).
The standard deviation of its outputs agrees to a thousandth. Its parts are those of `legacy_seresnet50`, which agrees.

| network | ours | parameters | apart | multiply-adds | norms | pooling | fvcore | left |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""


@dataclass(slots=True)
class Counted:
    """Multiply-adds by kind."""

    layers: int = 0
    norms: int = 0
    pooling: int = 0


def counted(model: nn.Module, size: int) -> Counted:
    """What fvcore would count, by shapes alone."""
    found = Counted()

    def layer(module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        found.layers += output[0].numel() * module.weight[0].numel()  # type: ignore[index, operator, union-attr]

    def norm(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        found.norms += 2 * output[0].numel()

    def pool(_module: nn.Module, inputs: tuple[torch.Tensor, ...], _output: object) -> None:
        found.pooling += inputs[0][0].numel()

    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(layer)
        elif isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(norm)
        elif isinstance(module, nn.AdaptiveAvgPool2d):
            module.register_forward_hook(pool)
    with torch.device("meta"):
        model.eval()(torch.zeros(1, 3, size, size))
    return found


def row(public: PublicNetwork) -> str:
    """One network's line."""
    known = facts()[f"{public.library}/{public.name}"]
    size = known["input_size"]
    with torch.device("meta"):
        shapes = create_model(public.network, num_classes=1000, **public.options)
        model = create_model(public.network, num_classes=1000, **public.options)
    cost = counted(shapes, size)
    state = public.state({key: filled(key, tuple(shape)) for key, shape in known["state"]})
    for key, value in model.state_dict().items():
        if key.endswith("num_batches_tracked"):
            state.setdefault(key, torch.zeros_like(value, device="cpu"))
    model.load_state_dict(state, assign=True)
    with torch.inference_mode():
        raw = model.eval()(picture(size)).double()[0, :8]
    apart = float((raw - torch.tensor(known["logits_first8"])).abs().max()) / known["logits_std"]
    parameters = sum(p.numel() for p in model.parameters())
    equal = "" if parameters == known["parameters"] else f" (theirs {known['parameters']:,})"
    left = known["macs_fvcore"] - cost.layers - cost.norms - cost.pooling
    options = ", ".join(f"{k}={v!r}" for k, v in public.options.items())
    ours = f"`{public.network}`" + (f" with {options}" if options else "")
    return (
        f"| {public.library}/{public.name} | {ours} | {parameters:,}{equal} | {apart:.0e} | {cost.layers:,} | {cost.norms:,} "
        f"| {cost.pooling:,} | {known['macs_fvcore']:,} | {left:,} |"
    )


def main() -> None:
    """Measures every network and writes the page."""
    if not facts():
        sys.exit("The facts of public networks are not there (../shared/reference); the page stays as it is.")
    known = [p for p in published() if f"{p.library}/{p.name}" in facts()]
    rows = []
    for public in known:
        rows.append(row(public))
        print(rows[-1], flush=True)
    tail = f"\n{len(rows)} of {len(facts())} networks.\n"
    PAGE.write_text(HEAD + "\n".join(rows) + "\n" + tail, encoding="utf-8")
    print(f"Written: docs/{PAGE.name}")


if __name__ == "__main__":
    main()
