"""A wider layer, with all that reads it."""

from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.layer_places import BATCH_NORMS
from osler.doctor.mending.layer_edit import model_with, set_width
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.structures.finding import Finding
from osler.vitals.evidence import LayerSeen

IN = {"Linear": "in_features", "Conv1d": "in_channels", "Conv2d": "in_channels", "Conv3d": "in_channels"}
OUT = {"Linear": "out_features", "Conv1d": "out_channels", "Conv2d": "out_channels", "Conv3d": "out_channels"}
WIDE, LESS_WIDE = 64, 16
CHOICE = "width"


@prescribes("narrow-bottleneck")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """As wide as its neighbours, at most 64; else 16."""
    layer = finding.where.layer
    if layer is None:
        return
    _, seen = model_with(case, layer)
    now = seen.options.get(OUT.get(seen.kind, ""))
    if not isinstance(now, int):
        return
    given = seen.options.get(IN[seen.kind])
    wide = max(LESS_WIDE, min(WIDE, given if isinstance(given, int) else WIDE))
    for remedy, width in (("widen the layer", wide), ("widen the layer less", LESS_WIDE)):
        if width > now:
            yield _of_width(case, seen, now, width, remedy)


def _of_width(case: Case, layer: LayerSeen, now: int, width: int, remedy: str) -> Prescription:
    def change(edit: ScriptEdit) -> None:
        set_width(edit, case, layer.name, OUT[layer.kind], 1, width)
        for reader, name, value in _readers(case, layer, now):
            set_width(edit, case, reader.name, name, 0, value // now * width)

    told = f"Widen layer {layer.name!r} from {now} to {width} units, with what reads it."
    return Prescription(remedy, told, change, choice=CHOICE)


def _readers(case: Case, layer: LayerSeen, now: int) -> Iterator[tuple[LayerSeen, str, int]]:
    """The norms behind a layer and the next layer with weights, with the width that each is made for."""
    model, _ = model_with(case, layer.name)
    for later in case.layers(model):
        if (later.order or 0) <= (layer.order or 0) or not later.leaf:
            continue
        if later.kind in BATCH_NORMS and later.options.get("num_features") == now:
            yield later, "num_features", now
        elif later.kind in IN:
            value = later.options.get(IN[later.kind])
            if not isinstance(value, int) or value % now:
                raise CannotEditError(f"{later.name} does not read {layer.name} alone.")
            yield later, IN[later.kind], value
            return
        elif later.parameters and later.kind not in BATCH_NORMS:
            raise CannotEditError(f"{later.name} reads {layer.name} in a way that is not understood.")
    raise CannotEditError(f"What reads {layer.name} is not known.")
