"""What computing each side of a CLIP once is worth: `python -m benchmarks.clip_speed`.

A ViT-B-32 with random weights, which are as quick as any, scores populations of prompts on images
of noise, through the backend as it is and with a backend that remembers nothing.
"""

import argparse
import io
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image

from backends.base import Query
from backends.clip.loading import Parts
from backends.clip.model import Clip
from backends.clip.words import from_bpe

RESULTS = Path(__file__).parent / "results"
LABELS = ["airplane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
TEXT_TOKENS, VISUAL_TOKENS = 8, 5
TITLES = {
    "what": "what is scored",
    "candidates": "prompts",
    "queries": "queries",
    "seconds": "s",
    "queries_per_second": "queries/s",
}
NOTE = (
    "`nothing remembered` is our backend with a call for each prompt and no cache; `open_clip` is "
    "its encode_image on all images and encode_text on all labels for each prompt, with as many "
    "threads in every product. Medians over rounds; in a round all of them take turns."
)


def main() -> None:
    options = _options()
    parts = _parts()
    files = _images(options.shots * len(LABELS), parts)
    backend = Clip(parts, threads=options.threads)
    forgetful = Clip(parts, threads=options.threads, cache_mb=0)
    _ask(backend, files[:1], 1, 0, False)  # warm-up
    first = _seconds(lambda: _ask(backend, files, 1, 1, False))
    rounds = [_round(options, parts, backend, forgetful, files, n) for n in range(options.rounds)]
    rows = [_row("text prompts, images read for the first time", 1, len(files), [first])]
    for what, (n, _) in rounds[0].items():
        rows.append(_row(what, n, n * len(files), [each[what][1] for each in rounds]))
    _write(options, rows)


def _round(
    options: argparse.Namespace,
    parts: Parts,
    backend: Clip,
    forgetful: Clip,
    files: list[bytes],
    number: int,
) -> dict[str, tuple[int, float]]:
    """What was scored -> (prompts, seconds); every round has prompts of its own."""
    many, few, seed = options.candidates, options.few, 100 * (number + 1)
    return {
        "text prompts": (many, _seconds(lambda: _ask(backend, files, many, seed, False))),
        "text and visual prompts": (few, _seconds(lambda: _ask(backend, files, few, seed, True))),
        "text prompts, nothing remembered": (
            few,
            _seconds(lambda: [_ask(forgetful, files, 1, seed + n, False) for n in range(few)]),
        ),
        "text prompts, open_clip": (
            few,
            _seconds(lambda: [_plainly(parts, files, backend.threads) for _ in range(few)]),
        ),
    }


def _ask(backend: Clip, files: list[bytes], n: int, seed: int, visual: bool) -> Any:
    """The scores of `n` prompts on all images, in one call."""
    random = np.random.default_rng(seed)
    text_side, image_side = backend.prompt_shape[1], backend.visual_shape[1]
    queries = []
    for _ in range(n):
        soft = random.normal(0, 0.02, (1, TEXT_TOKENS, text_side)).astype(np.float32)
        beside = random.normal(0, 0.02, (1, VISUAL_TOKENS, image_side)).astype(np.float32)
        chosen = beside if visual else None
        queries += [Query("a photo of a ", ".", soft, file, chosen) for file in files]
    return backend.score(queries, LABELS)


@torch.inference_mode()
def _plainly(parts: Parts, files: list[bytes], threads: int) -> None:
    """One prompt as a script does it: words of the prompt's length stand for the soft tokens."""
    pixels = [parts.preprocess(Image.open(io.BytesIO(file))) for file in files]
    batches = [torch.stack(pixels[at : at + 32]) for at in range(0, len(files), 32)]
    prompt = " ".join(["x"] * TEXT_TOKENS)
    ids = open_clip.tokenize([f"{prompt} a photo of a {label}." for label in LABELS])
    torch.set_num_threads(threads)
    images = [parts.model.encode_image(part, normalize=True) for part in batches]
    texts = parts.model.encode_text(ids, normalize=True)
    torch.cat(images) @ texts.T
    torch.set_num_threads(1)  # the number is the whole process's, and the backend's threads' too


def _parts() -> Parts:
    torch.manual_seed(0)
    model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32")
    return Parts(model, from_bpe(open_clip.SimpleTokenizer()), preprocess)


def _images(n: int, parts: Parts) -> list[bytes]:
    side = parts.model.visual.image_size
    random = np.random.default_rng(0)
    files = []
    for _ in range(n):
        file = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (*side, 3), dtype=np.uint8)).save(file, "JPEG")
        files.append(file.getvalue())
    return files


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _row(what: str, candidates: int, queries: int, seconds: list[float]) -> dict[str, Any]:
    median = statistics.median(seconds)
    return {
        "what": what,
        "candidates": candidates,
        "queries": queries,
        "seconds": round(median, 2),
        "queries_per_second": round(queries / median, 1),
        "all_seconds": [round(each, 2) for each in seconds],
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shots", type=int, default=16)
    parser.add_argument("--candidates", type=int, default=20, help="prompts of one population")
    parser.add_argument("--few", type=int, default=1, help="prompts where images are read anew")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None)
    return parser.parse_args()


def _write(options: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    chosen = {k: v for k, v in vars(options).items() if v is not None}
    about = {
        "command": "python -m benchmarks.clip_speed "
        + " ".join(f"--{name} {value}" for name, value in chosen.items()),
        "model": "ViT-B-32, random weights, float32",
        "setting": f"{options.shots} shots x {len(LABELS)} labels, {TEXT_TOKENS} text tokens, "
        f"{VISUAL_TOKENS} visual tokens",
        "threads": options.threads or len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": version("torch"),
        "open_clip_torch": version("open_clip_torch"),
        "rows": rows,
    }
    (RESULTS / "clip-speed.json").write_text(json.dumps(about, indent=1) + "\n")
    lines = [[str(row[key]) for key in TITLES] for row in rows]
    table = "\n".join(
        f"| {' | '.join(cells)} |"
        for cells in (list(TITLES.values()), ["---"] * len(TITLES), *lines)
    )
    head = f"`{about['command']}`\n\n{about['model']}; {about['setting']}; "
    head += f"{about['threads']} threads, load average {about['load_average']}\n\n"
    (RESULTS / "clip-speed.md").write_text(f"{head}{table}\n\n{NOTE}\n")


if __name__ == "__main__":
    main()
