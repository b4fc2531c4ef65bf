"""Where and how exactly a model is run: options checked, GPU or CPU, threads. No model."""

from collections.abc import Mapping

import torch

from backends.base import BackendRefused
from backends.machine import keep_heap

CHOICES: Mapping[str, tuple[str, ...]] = {
    "soft_position": ("start", "label"),
    "device": ("auto", "cpu", "cuda"),
    "dtype": ("float32", "bfloat16", "float16"),
}


def check(threads: int | None, cache_mb: int, **chosen: str) -> None:
    """Nothing, if the options are in range.

    Raises:
        ValueError: naming the option, what was given and what is wanted.
    """
    for option, given in chosen.items():
        if given not in CHOICES[option]:
            wanted = " or ".join(map(repr, CHOICES[option]))
            raise ValueError(f"{option} {given!r}: {wanted} is wanted")
    if threads is not None and threads < 1:
        raise ValueError(f"threads {threads}: a whole number above 0 is wanted")
    if cache_mb < 0:
        raise ValueError(f"cache_mb {cache_mb}: a whole number, 0 or above, is wanted")


def place(device: str) -> torch.device:
    """The device that an option asks for, made ready for exact work.

    Raises:
        BackendRefused: a GPU is asked for and there is none.
    """
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise BackendRefused("device 'cuda': there is no GPU here; 'auto' or 'cpu' is wanted")
    if device == "cpu" or not there:
        keep_heap()
        return torch.device("cpu")
    # ten bits of mantissa would drown finite differences, as those of bfloat16 do
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda")
