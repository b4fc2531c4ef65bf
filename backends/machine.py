"""What every local model asks of the machine it is on. No model."""

import os

import torch


def cores() -> int:
    """OMP_NUM_THREADS if the operator has set it, else the cores this process may run on."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else len(os.sched_getaffinity(0))


def keep_heap() -> None:
    """Lets glibc keep freed memory instead of giving it back after each layer.

    Freeing one large block raises its thresholds for the process (mallopt(3), M_MMAP_THRESHOLD);
    otherwise every forward touches thousands of new pages.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)
