"""Rare classes that count as much as common ones: by the loss's weights, or by what is drawn."""

import ast
from collections.abc import Iterator

from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, Case
from osler.doctor.layer_places import LOSS_MODULES
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, with_argument, without_argument
from osler.doctor.settings import argument, call_at
from osler.structures.finding import Finding
from osler.vitals.evidence import LoaderSeen, LossSeen

CHOICE = "balance of the classes"


@prescribes("class-imbalance")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The loss weighed by the counts that it was given; classes drawn evenly; weights of the counts' roots."""
    weights = list(weigh(case))
    yield from weights[:1]
    loaders = [x for x in case.evidence.loaders if x.used_for["train"] and x.site is not None]
    if loaders:
        loader = max(loaders, key=lambda x: x.used_for["train"])

        def draw(edit: ScriptEdit) -> None:
            _draw_evenly(edit, case, loader)

        told = "Give the loader a WeightedRandomSampler with weights of one over the class counts."
        yield Prescription("balance what is drawn", told, draw, choice=CHOICE)
    yield from weights[1:]


def _draw_evenly(edit: ScriptEdit, case: Case, loader: LoaderSeen) -> None:
    """A sampler with one over the counts of the data set's labels, before the line of the loader, in the place of `shuffle`."""
    call = call_at(case.script, loader.site, "DataLoader")
    data = argument(call, "dataset", 0) if call is not None else None
    if call is None or not isinstance(data, (ast.Name, ast.Attribute)) or call.keyword("batch_sampler") is not None:
        raise CannotEditError("The loader's data set has no name.")
    name = ast.unparse(data)
    home = "torch.utils.data.WeightedRandomSampler"
    edit.insert_before(
        call.line,
        f"labels = torch.tensor([int(label) for _, label in {name}])\n"
        f"balanced = {home}(1.0 / torch.bincount(labels)[labels].double(), len(labels))",
    )
    edit.change(
        edit.at(call.node), lambda now: with_argument(without_argument(now, "shuffle"), "sampler", "balanced", 3)
    )
    if not any(
        isinstance(n, ast.Import) and any(a.name == "torch" for a in n.names) for n in ast.walk(case.script.tree)
    ):
        edit.add_import("import torch")


def weigh(case: Case) -> Iterator[Prescription]:
    """Weights of one over the class frequencies for the loss that teaches, and of the root of that."""
    losses = [x for x in case.losses(*CLASS_LOSSES, *BINARY_LOSSES) if x.site is not None]
    if not losses or not 2 <= len(losses[0].targets) <= 200:
        return
    loss = losses[0]
    for power, how in (
        (1.0, "one over the classes' frequencies"),
        (0.5, "one over the root of the classes' frequencies"),
    ):
        name, text = _weights(loss, power)
        if text is None:
            return

        def change(edit: ScriptEdit, name: str = name, text: str = text) -> None:
            _give(edit, case, loss, name, text)

        yield Prescription(
            "weight the loss", f"Give {loss.function} {name}={text}: {how}.", change, choice=CHOICE, changes_loss=True
        )


def _weights(loss: LossSeen, power: float) -> tuple[str, str | None]:
    """The argument's name, and a tensor as text; None where the counts of classes do not give one."""
    ignored = loss.options.get("ignore_index", -100)
    counts = {int(k): n for k, n in loss.targets.items() if k != ignored and float(k).is_integer() and k >= 0}
    if loss.function in BINARY_LOSSES:
        if set(counts) != {0, 1} or loss.function != "binary_cross_entropy_with_logits":
            return "pos_weight", None
        return "pos_weight", f"torch.tensor({(counts[0] / counts[1]) ** power:.3g})"
    width = next((s.input.shape[1] for s in loss.samples if len(s.input.shape) >= 2), len(counts))
    if not counts or max(counts) >= width:
        return "weight", None
    raw = [(1 / counts[k]) ** power if k in counts else 0.0 for k in range(width)]
    mean = sum(raw) / len(counts)
    return "weight", f"torch.tensor([{', '.join(f'{w / mean:.3g}' if w else '1.0' for w in raw)}])"


def _give(edit: ScriptEdit, case: Case, loss: LossSeen, name: str, text: str) -> None:
    """Puts the argument into the call of the function at the loss's line, or where its module is made."""
    call = call_at(case.script, loss.site, loss.function)
    if call is not None:
        edit.change(edit.at(call.node), lambda now: with_argument(now, name, _placed(case, text)))
    else:
        made = case.script.calls_of(LOSS_MODULES[loss.function])
        if not made:
            raise CannotEditError(f"{loss.function} is not named.")
        edit.change(edit.at(made[0].node), lambda now: with_argument(now, name, _placed(case, text)))
    if not any(
        isinstance(n, ast.Import) and any(a.name == "torch" for a in n.names) for n in ast.walk(case.script.tree)
    ):
        edit.add_import("import torch")


def _placed(case: Case, text: str) -> str:
    """On the device that the script names."""
    names = {n for a in case.script.assignments for n in a.names if a.function == ""}
    return f"{text}.to(device)" if "device" in names else text
