"""A soft prompt as the prompt-tuning adapter that PEFT loads, in front of the same model.

PEFT puts its vectors before everything, the special tokens of a text included, while ours stand
behind those that begin it. So an adapter begins with these, as vectors of the model's own, and the
texts that are given to it come without them: then every place holds what it held in the search.
"""

import json
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from jobs.models import EndpointRow


class ReadTwice(ValueError):
    """The decoder reads the prompt as well, which PEFT has no way to say."""


@dataclass(frozen=True)
class Family:
    """Models that are read alike, in the words of two libraries."""

    head: str  # transformers' class that opens them
    task: str  # PEFT's name for what they do


FAMILIES: Mapping[str, Family] = {  # by kind of endpoint
    "causal": Family("AutoModelForCausalLM", "CAUSAL_LM"),
    "masked": Family("AutoModelForMaskedLM", "FEATURE_EXTRACTION"),  # it has none for filling gaps
    "seq2seq": Family("AutoModelForSeq2SeqLM", "SEQ_2_SEQ_LM"),
}
_LOADED_BY = ("dtype", "download")  # options of an endpoint that `load` takes too
_HOW = """\
# A soft prompt tuned by Gradless, for PEFT

    base = HEAD.from_pretrained(name)  # gradless.json names the model
    model = PeftModel.from_pretrained(base, folder)
    ids = tokenizer([text], return_tensors="pt")["input_ids"][:, FIRST:]
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits

The adapter begins with the special tokens that the tokenizer puts before a text, FIRST in number:
leave them out of what it is given, or the model reads them twice and answers otherwise. The text is
the template in gradless.json with its slots filled and `{prompt}` left empty. Its gap `{label}`, or
its end, is where the answer stands, with the mask or sentinel there that the model knows.
"""


def adapter(vectors: NDArray[np.float32], endpoint: EndpointRow) -> dict[str, bytes]:
    """The files of an adapter's folder; the model is opened for it, in a process of its own.

    Args:
        vectors: shape (n_tokens, hidden).

    Raises:
        BackendRefused: the model cannot be read.
        ReadTwice: see there.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as apart:  # whose end gives the model's memory back
        start = apart.submit(outset, endpoint).result()
    return files(start, vectors, endpoint)


def outset(endpoint: EndpointRow) -> NDArray[np.float32]:
    """The word vectors of the special tokens that begin every text, shape (n_tokens, hidden).

    Raises:
        As `adapter`.
    """
    import torch

    from backends.local.gaps import gap_of
    from backends.local.loading import load
    from backends.local.vocabulary import Vocabulary

    asked = {name: endpoint.options[name] for name in _LOADED_BY if name in endpoint.options}
    loaded = load(FAMILIES[endpoint.kind].head, endpoint.model, device="cpu", **asked)
    table = loaded.model.get_input_embeddings()
    words = Vocabulary(loaded.tokenizer, table.num_embeddings, loaded.max_tokens)
    style = endpoint.options.get("gap", "auto")
    if endpoint.kind == "seq2seq" and gap_of(loaded.model, words, style).repeats:
        raise ReadTwice("the decoder of this model repeats the text and its prompt")
    with torch.inference_mode():
        rows = table(torch.tensor(words.start, dtype=torch.int64))
        vectors: NDArray[np.float32] = rows.float().numpy()
    return vectors


def files(
    start: NDArray[np.float32], vectors: NDArray[np.float32], endpoint: EndpointRow
) -> dict[str, bytes]:
    """What `adapter` gives, with the special tokens' vectors known."""
    whole = np.concatenate([start, vectors])
    family = FAMILIES[endpoint.kind]
    config = {
        "peft_type": "PROMPT_TUNING",
        "task_type": family.task,
        "base_model_name_or_path": endpoint.model,
        "num_virtual_tokens": len(whole),
        "token_dim": whole.shape[1],
        "num_transformer_submodules": 1,  # of an encoder-decoder, the encoder alone
        "num_layers": 1,  # this and the next: asked of some models, used by other adapters alone
        "num_attention_heads": 1,
        "inference_mode": True,
    }
    how = _HOW.replace("HEAD", family.head).replace("FIRST", str(len(start)))
    return {
        "adapter_config.json": json.dumps(config, indent=2).encode(),
        "adapter_model.safetensors": safetensors.numpy.save({"prompt_embeddings": whole}),
        "README.md": how.encode(),
    }
