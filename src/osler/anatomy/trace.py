"""Every operator of a forward pass, seen as it runs: by whom, on what, at what cost, and what its outputs see of the picture."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from osler.anatomy import meta_kernels
from osler.anatomy.costs import cost
from osler.anatomy.rules import Call, find_rule
from osler.anatomy.rules.call import bound, operator_name, tensors_in
from osler.anatomy.sight import Sight, blind, joined, of_picture
from osler.anatomy.stack import ModuleStack, Row
from osler.anatomy.window_use import window_use

PICTURE = -1  # the row of the picture itself


class ForwardTrace(TorchDispatchMode):
    """Fills the rows of a module stack while a network runs.

    Args:
        stack: follows the network's modules.
        model: the network; its parameters are told from what it computes.
        picture: the tensor whose sides are seen.
        sides: which of its dimensions these are.
    """

    def __init__(self, stack: ModuleStack, model: nn.Module, picture: Tensor, sides: Sequence[int]) -> None:
        super().__init__()
        self.stack = stack
        self._parameters = {id(p): name for name, p in model.named_parameters()}
        self._kept = [*model.parameters(), *model.buffers()]
        self._not_activations = {t.untyped_storage()._cdata for t in self._kept if _has_storage(t)}
        self._sights = WeakTensorKeyDictionary()
        self._makers = WeakTensorKeyDictionary()
        self._owners: dict[int, Any] = {}  # storage: the tensor that was there first
        self._sides = len(sides)
        self._sights[picture] = of_picture(picture.shape, sides)
        self._makers[picture] = PICTURE
        self.live = self.peak = picture.untyped_storage().nbytes()
        self.peak_row: int = PICTURE
        self.failed_on: tuple[str, tuple[int, ...]] | None = None  # the operator that failed, and its input's shape
        self._own(picture)
        self._known_storages = {picture.untyped_storage()._cdata}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """The compiler, which PyTorch would load so as to leave this mode alone, is never asked here."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        try:
            made = meta_kernels.run(func, args, kwargs)
        except Exception:
            given = tensors_in([*args, *kwargs.values()])
            self.failed_on = operator_name(func), tuple(_main(operator_name(func), given).shape) if given else ()
            raise
        outputs = tuple(tensors_in(made if isinstance(made, (list, tuple)) else [made]))
        if outputs and self.stack.frames:
            row = self.stack.row()
            self._note(row, Call(func, bound(func, args, kwargs), outputs, self._seen_by))
        return made

    def _note(self, row: Row, call: Call) -> None:
        inputs = call.tensors
        self._note_parameters(row, inputs)
        self._note_inputs(row, inputs)
        self._note_memory(row, call.outputs)
        rule = find_rule(call.operator)
        if inputs:
            row.operators.append(call.name)
            spent = cost(call)
            if spent is None or rule is None:
                row.unknown[call.name] += 1
            if spent is not None:
                row.multiply_adds += spent.multiply_adds
                row.element_operations += spent.element_operations
            window = window_use(call)
            if (
                window is not None and not len(window.output) > self._sides > 1
            ):  # else over channels, as local response norm
                row.windows.append(window)
        sights = self._sights_of(call, rule, inputs)
        for tensor, sight in zip(call.outputs, sights, strict=True):
            self._sights[tensor] = sight
            if sight.pieces or any(t in self._makers for t in inputs):
                self._makers[tensor] = row.index
        if call.operator._schema.is_mutable:
            self._pass_on_to_owner(call.outputs[0], sights[0], row)
        if any(t in self._makers for t in call.outputs):
            row.output_shape, row.sight = tuple(call.outputs[0].shape), sights[0]

    def _sights_of(self, call: Call, rule: Callable[[Call], Any] | None, inputs: list[Tensor]) -> list[Sight]:
        seeing = [self._seen_by(t) for t in inputs if t in self._sights]
        if not any(s.pieces for s in seeing):
            return [blind(t.shape) for t in call.outputs]
        found = None
        if rule is not None:
            found = rule(call)
        if found is None:  # whatever went in may be seen anywhere
            pieces = [p for s in seeing for p in s.collapsed(()).pieces]
            return [Sight(blind(t.shape).dims, joined(pieces)[0], exact=False) for t in call.outputs]
        return [found] * len(call.outputs) if isinstance(found, Sight) else list(found)

    def _seen_by(self, tensor: Tensor) -> Sight:
        known: Sight | None = self._sights.get(tensor)
        return blind(tensor.shape) if known is None else known

    def _note_parameters(self, row: Row, inputs: list[Tensor]) -> None:
        for tensor in inputs:
            name = self._parameters.pop(id(tensor), None)
            if name is not None:
                row.parameters.append(name)

    def sight_of(self, tensor: Tensor) -> Sight:
        """What the elements of a tensor see that the network made."""
        return self._seen_by(tensor)

    @property
    def unused(self) -> list[str]:
        """Names of the parameters that no operator took."""
        return list(self._parameters.values())

    def _note_inputs(self, row: Row, inputs: list[Tensor]) -> None:
        for tensor in inputs:
            maker = self._makers.get(tensor)
            if maker is not None and maker != row.index:
                if maker not in row.inputs:
                    row.input_shapes.append(tuple(tensor.shape))
                row.inputs[maker] = None

    def _note_memory(self, row: Row, outputs: tuple[Tensor, ...]) -> None:
        for tensor in outputs:
            if not _has_storage(tensor):
                continue
            storage = tensor.untyped_storage()
            if storage._cdata in self._not_activations or storage._cdata in self._known_storages:
                continue
            size = storage.nbytes()
            self._known_storages.add(storage._cdata)
            self._own(tensor)
            self.live += size
            row.alive += size
            weakref.finalize(storage, self._died, storage._cdata, row, size).atexit = False
            if self.live > self.peak:
                self.peak, self.peak_row = self.live, row.index

    def _died(self, storage: int, row: Row, size: int) -> None:
        self.live -= size
        row.alive -= size
        self._known_storages.discard(storage)
        self._owners.pop(storage, None)

    def _own(self, tensor: Tensor) -> None:
        self._owners[tensor.untyped_storage()._cdata] = weakref.ref(tensor)

    def _pass_on_to_owner(self, written: Tensor, sight: Sight, row: Row) -> None:
        """What is written into a part of a tensor may be seen anywhere in it."""
        reference = self._owners.get(written.untyped_storage()._cdata) if _has_storage(written) else None
        owner = reference() if reference is not None else None
        if owner is None or owner is written:
            return
        before = self._seen_by(owner)
        pieces, _ = joined([*before.pieces, *sight.collapsed(()).pieces])
        self._sights[owner] = Sight(before.dims, pieces, exact=False)
        self._makers[owner] = row.index


def _main(operator: str, given: list[Tensor]) -> Tensor:
    """Of an operator's tensors the one that is worked on; of `addmm` the first is the bias."""
    return given[1] if operator in ("addmm", "baddbmm") and len(given) > 1 else given[0]


def _has_storage(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and not isinstance(tensor, nn.parameter.UninitializedParameter)
