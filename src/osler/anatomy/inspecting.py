"""Inspects a network: one forward pass by shapes alone, one in training mode for what it keeps, and the table from both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from osler.anatomy.example import Example, example_of, placed, sides_of
from osler.anatomy.following import Followed, ShapeRefusedError, follow
from osler.anatomy.layer import Anatomy, Layer, is_bias
from osler.anatomy.receptive_field import receptive_field
from osler.anatomy.refusals import first_line
from osler.anatomy.remarks import remarks_on
from osler.anatomy.stack import Row
from osler.anatomy.stand_in import stand_in, unwrapped
from osler.anatomy.training_memory import kept_for_backward
from osler.structures.errors import OslerError, RecipeError

TRAINING_BATCH = 2  # batch norm refuses a batch of one value for each channel


def inspect_network(
    model: nn.Module,
    input_size: Sequence[int],
    *,
    inputs: Any = None,
    name: str = "",
    with_numbers: Callable[[], nn.Module] | None = None,
) -> Anatomy:
    """The anatomy of a network for one picture. The network itself is left as it is; see `osler.inspect`.

    Args:
        model: any network, also one on the meta device.
        input_size: channels, height and width of the picture; not looked at where `inputs` are given.
        inputs: what else the network is called with: a tensor, a tuple of arguments, or a mapping of named ones.
        name: what to call it.
        with_numbers: makes the same network with real weights, if `model` has none and shapes alone do not suffice.

    Raises:
        RecipeError: the network does not take such a picture; the message names the layer.
    """
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    example = example_of(input_size, inputs, dtype)
    name = name or type(unwrapped(model)).__name__
    try:
        made = stand_in(model)
        traced, how = _traced(made, placed(example, "meta"), name), "shapes"
    except OslerError as error:
        if isinstance(error, ShapeRefusedError):
            raise RecipeError(str(error)) from error.__cause__
        made, traced, how = _with_numbers(model, example, name, with_numbers, error)
    table = _table(made, example, traced, name, how)
    return replace(table, remarks=remarks_on(table))


@dataclass(frozen=True, slots=True)
class _Traced:
    followed: Followed
    picture: tuple[int, ...]

    @property
    def rows(self) -> list[Row]:
        """What ran."""
        return self.followed.stack.rows


def _traced(model: nn.Module, example: Example, name: str) -> _Traced:
    """One forward pass in evaluation mode, watched."""
    picture = example.picture
    sides = sides_of(model, picture)
    followed = follow(model, picture, sides, lambda: model(*example.args, **example.kwargs), name=name)
    return _Traced(followed, tuple(picture.shape[d] for d in sides))


def _with_numbers(
    model: nn.Module, example: Example, name: str, make: Callable[[], nn.Module] | None, reason: Exception
) -> tuple[nn.Module, _Traced, str]:
    """One real forward pass, where shapes do not suffice: the network looks at its numbers."""
    cause = reason.__cause__ or reason
    if any(p.is_meta for p in model.parameters()):
        if make is None:
            raise RecipeError(
                f"{name} cannot be followed by shapes alone ({first_line(cause)}), "
                "and it has no numbers: give it real weights."
            ) from cause
        model = make()
    made = stand_in(model, real=True)
    device = next((p.device for p in made.parameters()), torch.device("cpu"))
    try:
        traced = _traced(made, placed(example, str(device)), name)
    except ShapeRefusedError as error:
        raise RecipeError(str(error)) from error.__cause__
    return made, traced, first_line(cause)


def _table(model: nn.Module, example: Example, traced: _Traced, name: str, how: str) -> Anatomy:
    sizes = dict(model.named_parameters())
    saved, training_only, note = _training(model, example, traced.rows, how)
    layers = [_layer(row, sizes, saved, traced.picture) for row in traced.rows]
    forward = traced.followed.trace
    notes = [note] if note else []
    if how != "shapes":
        notes.append(
            f"It decides by its numbers ({how}), so one real forward pass on noise was watched: this is the path of that "
            "picture, and another may take another."
        )
    return Anatomy(
        name=name,
        input_shapes=tuple(tuple(t.shape) for t in (*example.args, *example.kwargs.values()) if isinstance(t, Tensor)),
        picture=traced.picture,
        layers=tuple(layers),
        kinds={path: type(m).__name__ for path, m in model.named_modules()},
        unused={key: sizes[key].numel() for key in forward.unused},
        training_only=training_only,
        peak_bytes=forward.peak,
        peak_at=traced.rows[forward.peak_row].path if forward.peak_row >= 0 else "the picture",
        how="shapes" if how == "shapes" else "one real forward pass",
        notes=tuple(notes),
    )


def _layer(row: Row, sizes: Mapping[str, Tensor], saved: Mapping[int, int] | None, picture: tuple[int, ...]) -> Layer:
    biases = sum(sizes[key].numel() for key in row.parameters if is_bias(key))
    return Layer(
        index=row.index,
        path=row.path,
        kind=row.kind,
        inputs=tuple(row.inputs),
        input_shapes=tuple(row.input_shapes),
        output_shape=row.output_shape,
        windows=tuple(row.windows),
        sees=receptive_field(row.sight, picture) if row.sight is not None else None,
        weights=sum(sizes[key].numel() for key in row.parameters) - biases,
        biases=biases,
        parameters=tuple(row.parameters),
        multiply_adds=row.multiply_adds,
        element_operations=row.element_operations,
        output_bytes=row.kept,
        training_bytes=None if saved is None else saved.get(row.index, 0),
        parameter_bytes=sum(sizes[key].numel() * sizes[key].element_size() for key in row.parameters),
        operators=tuple(row.operators),
        unknown=tuple(row.unknown.elements()),
    )


def _training(
    model: nn.Module, example: Example, rows: Sequence[Row], how: str
) -> tuple[dict[int, int] | None, dict[str, int], str]:
    """Bytes kept for the backward pass, by row; by path, of layers that only a training runs; and what is not known."""
    if how != "shapes":
        return None, {}, "What a training would keep for its backward pass is not known."
    batch = 1 if example.own else TRAINING_BATCH
    try:
        given = placed(example, "meta", batch)
        trained = kept_for_backward(model, given.args, given.kwargs)
    except Exception as error:
        return None, {}, f"What a training would keep is not known: in training mode it fails ({first_line(error)})."
    saved: dict[int, int] = {}
    only: dict[str, int] = {}
    at = {key: row.index for key, row in _numbered(rows).items()}
    for key, row in _numbered(trained).items():
        if key in at:
            saved[at[key]] = row.saved // batch
        elif row.saved:
            only[key[0]] = only.get(key[0], 0) + row.saved // batch
    return saved, only, ""


def _numbered(rows: Sequence[Row]) -> dict[tuple[str, int], Row]:
    """Rows by path and by how often the path came up before."""
    seen: dict[str, int] = {}
    out = {}
    for row in rows:
        seen[row.path] = seen.get(row.path, -1) + 1
        out[row.path, seen[row.path]] = row
    return out
