"""The anatomy as plain numbers and strings, ready for JSON."""

from typing import Any

from osler.anatomy.folding import Block, folded
from osler.anatomy.layer import Anatomy, Layer
from osler.anatomy.receptive_field import ReceptiveField
from osler.anatomy.window_use import WindowUse


def as_data(anatomy: Anatomy, *, depth: int | None = None) -> dict[str, Any]:
    """Totals, remarks, every layer, and the blocks into which the table folds them.

    Args:
        anatomy: of a network.
        depth: how far blocks are folded, see `folded`.
    """
    return {
        "name": anatomy.name,
        "input_shapes": [list(s) for s in anatomy.input_shapes],
        "followed_by": anatomy.how,
        "totals": {
            "parameters": anatomy.parameters,
            "weights": anatomy.weights,
            "biases": anatomy.biases,
            "multiply_adds": anatomy.multiply_adds,
            "element_operations": anatomy.element_operations,
            "activation_bytes": anatomy.output_bytes,
            "peak_activation_bytes": anatomy.peak_bytes,
            "peak_at": anatomy.peak_at,
            "training_bytes": anatomy.training_bytes,
        },
        "not_used_in_evaluation": anatomy.unused,
        "kept_only_in_training": anatomy.training_only,
        "operators_without_a_rule": anatomy.unknown,
        "not_known": list(anatomy.notes),
        "remarks": [{"name": r.name, "message": r.message, "where": list(r.where)} for r in anatomy.remarks],
        "layers": [_layer(anatomy, layer) for layer in anatomy.layers],
        "blocks": [_block(anatomy, block) for block in folded(anatomy, depth)],
    }


def _layer(anatomy: Anatomy, layer: Layer) -> dict[str, Any]:
    return {
        "index": layer.index,
        "path": layer.path,
        "kind": layer.kind,
        "inputs": list(layer.inputs),
        "input_shapes": [list(s) for s in layer.input_shapes],
        "output_shape": list(layer.output_shape),
        "windows": [_window(use) for use in layer.windows],
        "receptive_field": _field(layer.sees),
        "weights": layer.weights,
        "biases": layer.biases,
        "multiply_adds": layer.multiply_adds,
        "element_operations": layer.element_operations,
        "output_bytes": layer.output_bytes,
        "training_bytes": layer.training_bytes,
        "operators": list(layer.operators),
        "operators_without_a_rule": list(layer.unknown),
        "share": _shares(anatomy, layer.size, layer.multiply_adds, layer.output_bytes, layer.training_bytes),
    }


def _block(anatomy: Anatomy, block: Block) -> dict[str, Any]:
    kept = block.training_bytes
    return {
        "path": block.path,
        "kind": block.kind,
        "layers": [layer.index for layer in block.layers],
        "output_shape": list(block.last.output_shape),
        "parameters": block.parameters,
        "biases": block.biases,
        "multiply_adds": block.multiply_adds,
        "element_operations": block.element_operations,
        "output_bytes": block.output_bytes,
        "training_bytes": kept,
        "share": _shares(anatomy, block.parameters, block.multiply_adds, block.output_bytes, kept),
    }


def _shares(anatomy: Anatomy, size: int, products: int, made: int, kept: int | None) -> dict[str, float | None]:
    """Of the network's totals, between 0 and 1."""
    totals = anatomy.parameters, anatomy.multiply_adds, anatomy.output_bytes, anatomy.training_bytes
    names = "parameters", "multiply_adds", "output_bytes", "training_bytes"
    return {
        name: part / whole if whole and part is not None else None
        for name, part, whole in zip(names, (size, products, made, kept), totals, strict=True)
    }


def _window(use: WindowUse) -> dict[str, Any]:
    return {
        "way": use.way,
        "input": list(use.input),
        "output": list(use.output),
        "kernel": list(use.kernel),
        "stride": list(use.stride),
        "padding": list(use.padding),
        "dilation": list(use.dilation),
        "groups": use.groups,
        "output_size_worked": list(use.formulas),
        "multiply_adds_worked": use.worked_cost,
    }


def _field(field: ReceptiveField | None) -> dict[str, Any] | None:
    if field is None:
        return None
    return {
        "size": list(field.size),
        "jump": [None if side.jump is None else float(side.jump) for side in field.sides],
        "first": [list(side.first) for side in field.sides],
        "centre": [side.centre for side in field.sides],
        "sees_everything": field.everything,
        "sees_beyond": field.beyond,
        "exact": field.exact,
    }
