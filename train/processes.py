"""The processes that train together: one alone, or those that torchrun started, each with its share of every batch.

Every process holds the whole model (DistributedDataParallel, Li et al., 2020): gradients are summed while the backward
pass still runs, and equal gradients keep equal weights. FSDP2, which shards weights and optimizer, is left out on
purpose: training takes 20 bytes a parameter (weights, gradients, two moments, moving average), 1.2 GB for `base`, so
that sharding would pay its traffic from a few billion parameters on, and for nothing before.
"""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

PATIENCE = timedelta(hours=6)
"""How long the others wait for the first to validate. In all else who is not heard of for torch's usual minutes counts
as lost; a process that was killed is noticed at once, by torchrun."""


@dataclass(frozen=True)
class Processes:
    """This process and the others. The first (rank 0) alone writes, prints and validates."""

    device: torch.device
    rank: int = 0
    count: int = 1
    hosts: dist.ProcessGroup | None = None
    """Over which the processes agree without their GPUs; None for one alone"""
    patient: dist.ProcessGroup | None = None
    """Over which they wait"""

    @classmethod
    def alone(cls) -> "Processes":
        """One process, on the GPU if there is one"""
        return cls(torch.device("cuda" if torch.cuda.is_available() else "cpu"))

    @classmethod
    def join(cls) -> "Processes":
        """Meets the others that torchrun started, if it did. Raises ValueError when there are too few GPUs."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls.alone()
        gpus, local_rank = torch.cuda.device_count(), int(os.environ["LOCAL_RANK"])
        if gpus and local_rank >= gpus:
            raise ValueError(f"There are {gpus} GPUs for more processes; start torchrun with --nproc-per-node={gpus}.")
        device = torch.device("cuda", local_rank) if gpus else torch.device("cpu")
        if gpus:
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if gpus else "gloo")
        hosts, patient = dist.new_group(backend="gloo"), dist.new_group(backend="gloo", timeout=PATIENCE)
        return cls(device, dist.get_rank(), dist.get_world_size(), hosts, patient)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module, whose backward pass now averages gradients over the processes."""
        if self.count == 1:
            return module
        # The only buffer is the table of positions, which is a formula.
        return DistributedDataParallel(module, forward_sync_buffers=False, gradient_as_bucket_view=True)

    def exchange(self, module: nn.Module, now: bool) -> AbstractContextManager:
        """Around a forward and backward pass: whether gradients are averaged after it, or only added up here."""
        return nullcontext() if now or self.count == 1 else module.no_sync()

    def sum(self, number: int) -> int:
        """A number of every process, added up"""
        if self.count == 1:
            return number
        total = torch.tensor(number)
        dist.all_reduce(total, group=self.hosts)
        return int(total)

    def sum_tensor(self, tensor: Tensor) -> Tensor:
        """A tensor of every process, added up on the devices, which no host waits for"""
        if self.count > 1:
            dist.all_reduce(tensor)
        return tensor

    def agree(self, value: Any) -> Any:
        """What the first process has, for all"""
        values = [value]
        if self.count > 1:
            dist.broadcast_object_list(values, src=0, group=self.hosts)
        return values[0]

    def wait(self) -> None:
        """Until all have come here, however long it takes"""
        if self.count > 1:
            dist.barrier(group=self.patient)

    def leave(self) -> None:
        """Parts from the others at the end of a run."""
        if self.count > 1:
            self.wait()
            dist.destroy_process_group()
