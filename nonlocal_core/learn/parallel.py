"""One process or several: what `torchrun` says, and the three things that a training asks of its fellows."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

Value = TypeVar("Value")


@dataclass(frozen=True)
class Process:
    """This process among those that train one network together."""

    rank: int
    count: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether it is the one that writes files and speaks."""
        return self.rank == 0

    def wrapped(self, module: nn.Module) -> nn.Module:
        """The module whose gradients are the mean over all processes."""
        if self.count == 1:
            return module
        return DistributedDataParallel(module, [self.device] if self.device.type == "cuda" else None)

    def gathered(self, value: Value) -> list[Value]:
        """Every process's value, by rank; all must ask at once."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        distributed.all_gather_object(values, value)
        return values


def apart(module: nn.Module) -> AbstractContextManager[Any]:
    """While it lasts, a wrapped module adds up gradients on its own; the next pass outside brings all together."""
    return module.no_sync() if isinstance(module, DistributedDataParallel) else nullcontext()


@contextmanager
def joined(environ: Mapping[str, str]) -> Generator[Process]:
    """Meet the processes that `torchrun` started, over NCCL on CUDA and gloo on CPU; alone where it started none."""
    cuda = torch.cuda.is_available()
    rank, count, local = (int(environ.get(*pair)) for pair in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")))
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if count == 1:
        yield Process(rank, count, device)
        return
    distributed.init_process_group("nccl" if cuda else "gloo")  # reads torchrun's address itself
    try:
        yield Process(rank, count, device)
    finally:
        distributed.destroy_process_group()
