"""A transformers model and its tokenizer: their own files, safetensors only, none of their code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch

from backends.base import BackendRefused

Dtype = Literal["float32", "bfloat16", "float16"]
Device = Literal["auto", "cpu", "cuda"]
Download = Literal["no", "yes"]

_SHORT = 512  # tokens, where neither model nor tokenizer tells a limit: what T5 was trained on


@dataclass(frozen=True, eq=False)
class Loaded:
    model: Any  # a frozen PreTrainedModel with its vocabulary head
    tokenizer: Any  # as AutoTokenizer gives it
    max_tokens: int  # that the model reads in one sequence


def load(
    head: str,
    name: str,
    dtype: Dtype = "float32",
    device: Device = "auto",
    download: Download = "no",
) -> Loaded:
    """The model of a folder, or of a name on the Hugging Face hub.

    Args:
        head: transformers' class that finds the head by the model's config, "AutoModelFor...".
        download: "no": a name is only looked up among the models already on this machine.

    Raises:
        ValueError: an option is none of its choices.
        BackendRefused: it cannot be read, or is a model of another family.
    """
    for option, given, choices in (
        ("dtype", dtype, Dtype),
        ("device", device, Device),
        ("download", download, Download),
    ):
        check_choice(option, given, get_args(choices))
    import transformers
    from safetensors import SafetensorError

    if device == "cuda" and not torch.cuda.is_available():
        raise BackendRefused("device 'cuda': this machine has none that torch can use")
    transformers.utils.logging.disable_progress_bar()
    files = {"local_files_only": download == "no", "trust_remote_code": False}
    try:
        model, report = getattr(transformers, head).from_pretrained(
            name,
            use_safetensors=True,
            dtype=getattr(torch, dtype),
            output_loading_info=True,
            **files,
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **files)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise BackendRefused(f"cannot read the model {name!r}: {error}") from error
    if missing := sorted(report["missing_keys"]):
        named = f"{', '.join(missing[:3])} ({len(missing)} in all)"
        raise BackendRefused(f"{name!r} has no weights for {named}: they would be random")
    model.eval().requires_grad_(False).to(_place(device))
    return Loaded(model, tokenizer, _max_tokens(model, tokenizer))


def check_choice(option: str, given: str, choices: Sequence[str]) -> None:
    """Nothing, or ValueError that tells what is wanted."""
    if given not in choices:
        raise ValueError(f"{option} {given!r}: {' or '.join(map(repr, choices))} is wanted")


def stops(loaded: Loaded) -> frozenset[int]:
    """The tokens that end an answer."""
    told = getattr(loaded.model.generation_config, "eos_token_id", None)
    ends = told if isinstance(told, list) else [told]
    return frozenset(end for end in [*ends, loaded.tokenizer.eos_token_id] if end is not None)


def _place(device: Device) -> str:
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def _max_tokens(model: Any, tokenizer: Any) -> int:
    config = model.config.get_text_config()
    positions = getattr(config, "max_position_embeddings", None) or 0
    read = positions - _skipped(model, positions) if positions > 0 else tokenizer.model_max_length
    limit = min(read, tokenizer.model_max_length)
    return limit if limit < 2**31 else _SHORT


def _skipped(model: Any, positions: int) -> int:
    """Positions that no token gets: RoBERTa counts them from its padding token on."""
    for module in model.modules():
        if (
            isinstance(module, torch.nn.Embedding)
            and module is not model.get_input_embeddings()
            and module.num_embeddings == positions
            and module.padding_idx is not None
        ):
            return module.padding_idx + 1
    return 0
