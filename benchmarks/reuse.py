"""What reading the same thing once is worth: `python -m benchmarks.reuse`.

One round of BBTv2 populations on MiniLM, with and without layers that are shared; and populations
of soft prompts before short texts on a causal model of random weights, with and without a shared
prefix. Both ways take turns in every round, on the same queries.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray

from backends import sharing
from backends.base import Query
from backends.encoder import Encoder
from backends.local.causal import Causal

RESULTS = Path(__file__).parent / "results"
LABELS = ["bad", "great"]
WORDS = ["the", "film", "was", "long", "but", "very", "well", "acted", "and", "funny", "to", "see"]
WIDTH, LAYERS, HEADS = 256, 6, 8  # of the causal model
TITLES = {
    "what": "what is scored",
    "queries": "queries",
    "plain": "plain, s",
    "shared": "shared, s",
    "ratio": "shared / plain",
    "apart": "largest difference, nats",
}
NOTE = (
    "A BBTv2 population differs at one layer: the layers below it read each text once, and at it "
    "queries, keys and values are made once a text and once a prompt. Sharing the layers below "
    "alone could not go under 0.60 with 20 prompts: 21/36, and 15/20 of a layer for the texts "
    "themselves. Medians over rounds; in a round both ways take turns on the same queries."
)


def main() -> None:
    options = _options()
    rows = [*_layers(options), _prefixes(options)]
    _write(options, rows)


def _layers(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for the population of each layer, and one for a round of all."""
    backend = Encoder(threads=options.threads)
    n_layers, hidden = backend.prompt_shape
    texts = _texts(options.texts)
    random = np.random.default_rng(0)
    shape = (options.candidates, n_layers, options.tokens, hidden)
    backend.score([Query(texts[0])], LABELS)  # warm-up
    rows = []
    for layer in range(n_layers):
        softs = _population(random, shape, layer)
        queries = [Query(text, soft=soft) for soft in softs for text in texts]
        found = _both(options.rounds, _apart, partial(backend.score, queries, LABELS))
        rows.append(_row(f"MiniLM, population of layer {layer}", len(queries), *found))
    totals = [sum(row[way] for row in rows) for way in ("plain", "shared")]
    total = {"what": "MiniLM, one round of BBTv2", "queries": sum(row["queries"] for row in rows)}
    total |= {"plain": round(totals[0], 2), "shared": round(totals[1], 2)}
    total |= {"ratio": round(totals[1] / totals[0], 3), "apart": max(row["apart"] for row in rows)}
    return [*rows, total]


def _prefixes(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        backend = Causal(_llama(Path(folder)), threads=options.threads)
    random = np.random.default_rng(1)
    softs = random.normal(0, 0.02, (options.candidates, 1, options.tokens, WIDTH))
    queries = [
        Query(text, soft=soft)
        for soft in softs.astype(np.float32)
        for text in _texts(options.texts, 25)
    ]
    backend.score(queries[:2], LABELS)  # warm-up

    @contextmanager
    def plainly() -> Iterator[None]:
        with mock.patch.object(backend._prefixes, "shares", False):
            yield

    found = _both(options.rounds, plainly, partial(backend.score, queries, LABELS))
    what = f"Llama, {LAYERS} layers of width {WIDTH}, texts of 25 tokens"
    return _row(what, len(queries), *found)


def _both(
    rounds: int, plainly: Callable[[], Any], work: Callable[[], NDArray[np.float64]]
) -> tuple[list[float], list[float], float]:
    """Seconds of each round, plain and shared, and how far apart the answers are."""
    seconds: tuple[list[float], list[float]] = ([], [])
    apart = 0.0
    for _ in range(rounds):
        start = time.perf_counter()
        with plainly():
            plain = work()
        middle = time.perf_counter()
        shared = work()
        seconds[0].append(middle - start)
        seconds[1].append(time.perf_counter() - middle)
        apart = max(apart, float(np.abs(shared - plain).max()))
    return (*seconds, apart)


def _apart() -> Any:
    """Within it no two sequences are the same: each is told to be the first of its kind."""

    def alone(lines: Sequence[object], _: int) -> NDArray[np.int64]:
        return np.arange(len(lines))

    return mock.patch.multiple(sharing, owners=alone, first_branch=lambda _: 0)


def _population(
    random: np.random.Generator, shape: tuple[int, ...], layer: int
) -> NDArray[np.float32]:
    """Prompts that are alike but for one layer, shape `shape`."""
    softs = np.empty(shape, np.float32)
    softs[:] = random.normal(0, 0.02, shape[1:])
    softs[:, layer] = random.normal(0, 0.02, (shape[0], *shape[2:]))
    return softs


def _texts(n: int, length: int | None = None) -> list[str]:
    """Texts of 5 to 44 words, or of `length`."""
    random = np.random.default_rng(2)
    sizes = random.integers(5, 45, n) if length is None else [length] * n
    return [" ".join(random.choice(WORDS, size)) for size in sizes]


def _llama(folder: Path) -> str:
    """A model of random weights, and a tokenizer for which each of our words is a token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["<s>", "</s>", "<unk>", *dict.fromkeys([*WORDS, *LABELS, "a"])]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32_000,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=512,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


def _row(
    what: str, queries: int, plain: list[float], shared: list[float], apart: float
) -> dict[str, Any]:
    one, other = statistics.median(plain), statistics.median(shared)
    return {
        "what": what,
        "queries": queries,
        "plain": round(one, 2),
        "shared": round(other, 2),
        "ratio": round(other / one, 3),
        "apart": float(f"{apart:.1e}"),
        "all_seconds": {
            "plain": [round(each, 3) for each in plain],
            "shared": [round(each, 3) for each in shared],
        },
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=20, help="prompts of one population")
    parser.add_argument("--tokens", type=int, default=50, help="vectors in a prompt")
    parser.add_argument("--texts", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None)
    return parser.parse_args()


def _write(options: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    chosen = {name: value for name, value in vars(options).items() if value is not None}
    about = {
        "command": "python -m benchmarks.reuse "
        + " ".join(f"--{name} {value}" for name, value in chosen.items()),
        "setting": f"{options.candidates} prompts of {options.tokens} tokens, {options.texts} texts"
        ", float32",
        "threads": options.threads or len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": version("torch"),
        "transformers": version("transformers"),
        "rows": rows,
    }
    (RESULTS / "reuse.json").write_text(json.dumps(about, indent=1) + "\n")
    lines = [[str(row[key]) for key in TITLES] for row in rows]
    table = "\n".join(
        f"| {' | '.join(cells)} |"
        for cells in (list(TITLES.values()), ["---"] * len(TITLES), *lines)
    )
    head = f"`{about['command']}`\n\n{about['setting']}; {about['threads']} threads, load average "
    (RESULTS / "reuse.md").write_text(f"{head}{about['load_average']}\n\n{table}\n\n{NOTE}\n")


if __name__ == "__main__":
    main()
