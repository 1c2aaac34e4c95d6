"""Recognising that memory ran out."""

import torch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device's or the machine's memory ran out."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    message = str(error)
    return isinstance(error, RuntimeError) and (
        "DefaultCPUAllocator: can't allocate memory" in message
        or "DefaultCPUAllocator: not enough memory" in message
        or "MPS backend out of memory" in message
    )
