"""Where in the program a layer is made and where it is called, and what an output passes on its way out of the last layer."""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from osler.doctor.case import Case
from osler.doctor.loss_graph import RESHAPING, Weighted, is_one_of
from osler.doctor.script_reading import dotted
from osler.structures.finding import Where
from osler.vitals.evidence import LayerSeen, LossSeen, ModelSeen, Producer

DROPOUTS = frozenset(
    {"Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout", "dropout", "dropout1d", "dropout2d",
     "dropout3d", "alpha_dropout", "feature_dropout"}
)  # fmt: skip
BATCH_NORMS = frozenset(
    {"BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm", "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d"}
)  # fmt: skip
# Layers with weights, as autograd names their operation: there the way back from an output ends.
LAST_LAYERS = ("Addmm", "Mm", "Linear", "Convolution", "Bmm", "Baddbmm", "Mv", "Addmv", "MkldnnLinear")


def layer_seen(case: Case, name: str | None) -> LayerSeen | None:
    """The layer of that name, of the most used network that has one."""
    if name is None:
        return None
    for model in (*case.evidence.trained_models, *case.evidence.models):
        if name in model.layers:
            return model.layers[name]
    return None


def model_of(case: Case, weighted: Weighted) -> ModelSeen | None:
    """The network whose layer this is: two networks may use one name, so the shape of the weights has to agree."""
    for model in (*case.evidence.trained_models, *case.evidence.models):
        held = model.parameters.get(weighted.parameter or "")
        if held is not None and held.shape == weighted.shape:
            return model
    return None


def seen_of(case: Case, weighted: Weighted) -> LayerSeen | None:
    """The record of a layer of the graph."""
    model = model_of(case, weighted)
    return model.layers.get(weighted.layer) if model is not None else None


def dropout_names(case: Case) -> frozenset[str]:
    """The names of all dropout layers."""
    return frozenset(n for m in case.evidence.models for n, layer in m.layers.items() if layer.kind in DROPOUTS)


def calling_line(case: Case, name: str) -> int | None:
    """The line of a `forward` that calls the layer by its attribute (`self.fc1(x)`); None where there is none or several."""
    attribute = name.rpartition(".")[2]
    lines = {
        call.line
        for call in case.script.calls
        if call.name == f"self.{attribute}" and call.function.rpartition(".")[2] != "__init__"
    }
    return lines.pop() if len(lines) == 1 else None


def where_called(case: Case, name: str, layer: LayerSeen | None = None) -> Where:
    """The line at which the layer is called where that can be told, else where it is made; and its name."""
    line = calling_line(case, name)
    return case.line(line, name) if line is not None else where_made(case, name, layer)


def where_made(case: Case, name: str | None, layer: LayerSeen | None = None) -> Where:
    """The line at which the layer is made, and its name."""
    return case.where(layer.site if layer is not None else None, name) if name else case.where()


@dataclass(frozen=True)
class WayOut:
    """What stands between the last layer with weights and what reads its output, the reader first."""

    operations: tuple[Producer, ...]  # without those that only reshape
    last: Producer  # the layer


def way_out(case: Case, made_by: Sequence[Producer]) -> WayOut | None:
    """Reads a recorded chain; None where it does not reach a layer with weights."""
    if not made_by or not is_one_of(made_by[-1].operation, LAST_LAYERS):
        return None
    passed = tuple(p for p in made_by[:-1] if not is_one_of(p.operation, RESHAPING))
    return WayOut(passed, _named(case, made_by))


def _named(case: Case, made_by: Sequence[Producer]) -> Producer:
    """The last producer, by its layer; a linear layer's name may be noted at the reshaping after it."""
    last = made_by[-1]
    if last.layer is None:
        for before in reversed(made_by[:-1]):
            if not is_one_of(before.operation, RESHAPING):
                break
            layer = layer_seen(case, before.layer)
            if layer is not None and layer.parameters:
                return Producer(last.operation, last.site, before.layer)
    return last


def is_dropout(case: Case, producer: Producer) -> bool:
    """Whether a dropout layer or function made it."""
    if is_one_of(producer.operation, ("NativeDropout", "FeatureDropout")):
        return True
    layer = layer_seen(case, producer.layer)
    return layer is not None and layer.kind in DROPOUTS


def where_producer(case: Case, producer: Producer, last: str | None = None) -> Where:
    """The line of a module that made something; of a function the line of its call, with the layer whose output it took."""
    layer = layer_seen(case, producer.layer)
    if layer is not None and layer.site is not None and not layer.name.endswith(")"):
        return case.where(layer.site, layer.name)
    return case.where(producer.site, last or producer.layer)


LOSS_MODULES = {
    "cross_entropy": "CrossEntropyLoss", "nll_loss": "NLLLoss", "binary_cross_entropy": "BCELoss", "mse_loss": "MSELoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss", "l1_loss": "L1Loss", "smooth_l1_loss": "SmoothL1Loss",
    "huber_loss": "HuberLoss", "kl_div": "KLDivLoss",
}  # fmt: skip


def where_loss(case: Case, loss: LossSeen, layer: str | None = None) -> Where:
    """The line at which the loss is chosen: where its module is made, else where the function is called."""
    module = LOSS_MODULES.get(loss.function)
    if loss.site is None or module is None:
        return case.where(loss.site, layer)
    here = {c.name for c in case.script.calls if c.line <= loss.site.line <= (c.node.end_lineno or c.line)}
    made = [
        a for a in case.script.assignments
        if here & set(a.names) and isinstance(a.value, ast.Call) and any(
            isinstance(n, ast.Call) and dotted(n.func).rpartition(".")[2] == module for n in ast.walk(a.value))
    ]  # fmt: skip
    return case.line(made[-1].line, layer) if made else case.where(loss.site, layer)


def ordered(layers: Iterable[LayerSeen]) -> list[LayerSeen]:
    """Layers in the order in which they ran first."""
    return sorted((layer for layer in layers if layer.order is not None), key=lambda layer: layer.order or 0)


def names_in(node: ast.AST) -> set[str]:
    """All names and attribute names in a piece of the script."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} | {
        n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)
    }
