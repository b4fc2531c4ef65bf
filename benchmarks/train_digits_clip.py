"""Trains `backends/digits_clip`, a very small CLIP: `python -m benchmarks.train_digits_clip`.

It reads images of two digits, and its caption says which of the two is meant. Where the caption
does not, the model is torn between both: this is the room that a tuned prompt has.
"""

import argparse
import json
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import open_clip
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from benchmarks.digits import LOOKS, NAMES, PIXELS, Images, pairs
from benchmarks.digits_captions import (
    END,
    FIGURES,
    LENGTH,
    PAD,
    START,
    UNKNOWN,
    VOCABULARY,
    Side,
    captions,
    template,
    tokenizer,
)
from jobs.significance import wilson

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "backends" / "digits_clip"
RESULTS = Path(__file__).parent / "results"

SEED = 0
STEPS = 2000
IMAGES = 128  # of a step
EITHER = 0.5  # weight of the captions that name no side
TEMPLATES = 2  # of a step, for each side
RATE, WARM_UP, DECAY = 1e-3, 60, 0.05
MOVES = np.array([0.12, 0.08, 0.06, 0.06])  # most: radians, size, share of half a side
SHARPEST = float(np.log(100))  # the largest logit scale, as in CLIP
ASKED: tuple[Side, ...] = ("left", "right", "either")

CONFIG = {
    "model_cfg": {
        "embed_dim": 64,
        "vision_cfg": {
            "image_size": PIXELS,
            "patch_size": 8,
            "layers": 3,
            "width": 64,
            "head_width": 32,
        },
        "text_cfg": {
            "context_length": LENGTH,
            "vocab_size": len(VOCABULARY),
            "hf_tokenizer_name": "digits-clip",  # open_clip: the tokenizer is in this folder
            "layers": 2,
            "width": 64,
            "heads": 2,
        },
    },
    "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bilinear"},
}
TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": LENGTH,
    "pad_token": PAD,
    "unk_token": UNKNOWN,
    "bos_token": START,
    "eos_token": END,
}
MEASURED = (  # the caption, and the look of the images
    ("a photo of the digit {label}", "clean"),
    ("{label}", "clean"),
    ("the left digit is {label}", "clean"),
    ("the right digit is {label}", "clean"),
    ("a photo of the digit {label}", "faded"),
    ("the right digit is {label}", "faded"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="train aside and compare with what is shipped"
    )
    torch.set_num_threads(1)  # so that sums are rounded alike wherever it is run
    if parser.parse_args().check:
        with TemporaryDirectory() as folder:
            train(Path(folder))
            sys.exit("\n".join(apart(measure(FOLDER), measure(Path(folder)))) or None)
    start = time.process_time()
    train(FOLDER)
    _write(measure(FOLDER), time.process_time() - start)


def train(folder: Path, steps: int = STEPS) -> None:
    """Writes a folder that open_clip opens as `local-dir:folder`.

    Every step scores the labels under a few captions for each side, on one set of images.

    Unlike the paper (CLIP, arXiv 2103.00020), the softmax is over the ten labels in one caption
    rather than over the captions of a batch: of these, one in ten is as true as an image's own.
    """
    torch.manual_seed(SEED)
    _write_settings(folder)
    model, words = open_clip.create_model(f"local-dir:{folder}", load_weights=False), tokenizer()
    words.enable_padding(length=LENGTH, pad_token=PAD)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=RATE, weight_decay=DECAY, betas=(0.9, 0.98)
    )
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    for step in range(steps):
        loss: Any = _loss(model, words, step, _effort(step / steps))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0.0, SHARPEST)
        if step % 100 == 99:
            print(f"step {step + 1} of {steps}: loss {loss.item():.3f}", flush=True)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")


def measure(folder: Path) -> list[dict[str, Any]]:
    """Accuracy on the test part under each caption of MEASURED, for both digits of an image."""
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    words = open_clip.get_tokenizer(f"local-dir:{folder}")
    test = pairs("test", 400, SEED)
    rows = []
    for caption, look in MEASURED:
        with torch.inference_mode():
            images = model.encode_image(_pixels(LOOKS[look](test.images)), normalize=True)
            labels = model.encode_text(words(captions(caption, NAMES)), normalize=True)
        answers = (images @ labels.T).argmax(1).numpy()
        sides = {side: _accuracy(answers == getattr(test, side)) for side in ("left", "right")}
        rows.append({"caption": caption, "images": look, "n": len(answers), **sides})
    return rows


def apart(shipped: list[dict[str, Any]], fresh: list[dict[str, Any]]) -> list[str]:
    """The accuracies whose intervals do not even touch, in words."""
    return [
        f"{old['caption']!r}, {old['images']}, {side}: {old[side]} shipped, {new[side]} fresh"
        for old, new in zip(shipped, fresh, strict=True)
        for side in ("left", "right")
        if old[side]["high"] < new[side]["low"] or new[side]["high"] < old[side]["low"]
    ]


def _loss(model: Any, words: Any, step: int, effort: float) -> Tensor:
    """Cross-entropy in nats, the mean of three sides; `either` is half left and half right."""
    random = np.random.default_rng((SEED, step))
    batch = pairs("model", IMAGES, (SEED, step, 1))
    images = model.encode_image(_moved(_pixels(batch.images), effort, random), normalize=True)
    texts = [
        caption
        for side in ASKED
        for _ in range(TEMPLATES)
        for caption in captions(
            template(side, effort, random), (NAMES, FIGURES)[random.integers(2)]
        )
    ]
    ids = torch.tensor([each.ids for each in words.encode_batch(texts)])
    vectors = model.encode_text(ids, normalize=True)
    scores = model.logit_scale.exp() * images @ vectors.T
    chances = scores.reshape(IMAGES, len(ASKED), TEMPLATES, len(NAMES)).log_softmax(3).mean(2)
    left, right = (
        functional.one_hot(torch.from_numpy(digits), len(NAMES)).float()
        for digits in (batch.left, batch.right)
    )
    wanted = torch.stack([left, right, EITHER * (left + right) / 2], 1)
    loss: Tensor = -(wanted * chances).sum((1, 2)).mean() / (2 + EITHER)
    return loss


def _pixels(images: Images) -> Tensor:
    """As `preprocess_cfg` says: float32, shape (n, 3, PIXELS, PIXELS), -1 to 1."""
    pixels = torch.from_numpy(images).float() / 127.5 - 1
    return pixels[:, None].expand(-1, 3, -1, -1).contiguous()


def _moved(pixels: Tensor, effort: float, random: np.random.Generator) -> Tensor:
    """Each image turned, sized and shifted a little, so that 1,077 drawings are enough."""
    n = len(pixels)
    angle, size, x, y = effort * MOVES[:, None] * random.uniform(-1, 1, (4, n))
    cos, sin = (1 + size) * np.cos(angle), (1 + size) * np.sin(angle)
    affine = np.stack([cos, -sin, x, sin, cos, y], 1).reshape(n, 2, 3).astype(np.float32)
    grid = functional.affine_grid(torch.from_numpy(affine), list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels + 1, grid, align_corners=False) - 1  # outside is black


def _effort(share: float) -> float:
    """How hard the task is, from 0 to 1, after this share of the steps.

    Asked for everything at once, the model keeps to what both digits have in common.
    """
    return float(np.interp(share, (0.15, 0.6), (0, 1)))


def _rate(step: int, steps: int) -> float:
    """Share of RATE: a linear warm-up, then half a cosine down to 0."""
    return min(1.0, (step + 1) / WARM_UP) * (1 + float(np.cos(np.pi * step / steps))) / 2


def _write_settings(folder: Path) -> None:
    words = tokenizer()
    words.save(str(folder / "tokenizer.json"))
    for name, body in (("open_clip_config", CONFIG), ("tokenizer_config", TOKENIZER)):
        (folder / f"{name}.json").write_text(json.dumps(body, indent=1) + "\n")


def _accuracy(right: Any) -> dict[str, float]:
    low, high = wilson(int(right.sum()), len(right))
    return {"accuracy": float(right.mean()), "low": round(low, 4), "high": round(high, 4)}


def _write(rows: list[dict[str, Any]], seconds: float) -> None:
    sizes = {file.name: file.stat().st_size for file in sorted(FOLDER.iterdir())}
    body = {
        "command": "python -m benchmarks.train_digits_clip",
        "python": platform.python_version(),
        "torch": version("torch"),
        "open_clip_torch": version("open_clip_torch"),
        "steps": STEPS,
        "processor_seconds": round(seconds),
        "bytes": sizes,
        "rows": rows,
    }
    (RESULTS / "digits-clip.json").write_text(json.dumps(body, indent=1) + "\n")
    facts = f"{STEPS:,} steps in {seconds:.0f} s of one processor, {sum(sizes.values()):,} bytes"
    head = "| caption | images | n | says the left digit | says the right digit |"
    table = "\n".join([head, "|" + "---|" * 5, *map(_line, rows)])
    (RESULTS / "digits-clip.md").write_text(f"`{body['command']}`: {facts}\n\n{table}\n")


def _line(row: dict[str, Any]) -> str:
    cells = [
        f"{row[side]['accuracy']:.1%} ({row[side]['low']:.1%}-{row[side]['high']:.1%})"
        for side in ("left", "right")
    ]
    return f"| {row['caption']} | {row['images']} | {row['n']} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
