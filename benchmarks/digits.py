"""Images of two handwritten digits side by side, and a dataset of them in a zip. No model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Literal, TypeAlias
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

Part: TypeAlias = Literal["model", "train", "dev", "test"]
Images: TypeAlias = NDArray[np.uint8]  # shape (n, PIXELS, PIXELS), 0 black to 255 white
Labels: TypeAlias = NDArray[np.int64]  # shape (n,), a digit each

PIXELS = 32  # wide and high; each digit is half as wide and half as high
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DRAWINGS: Mapping[Part, int] = {"train": 16, "dev": 16, "test": 40}  # of a digit; model: the rest
_SPLIT_SEED = 0
_OLDEST = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can name: its bytes know no clock


def clean(images: Images) -> Images:
    return images


def faded(images: Images) -> Images:
    """Light gray on gray: 0 to 255 becomes 102 to 178."""
    return (102 + images * 0.3).astype(np.uint8)


LOOKS: Mapping[str, Callable[[Images], Images]] = {"clean": clean, "faded": faded}


@dataclass(frozen=True)
class Pairs:
    """Images of two digits, and which digits these are."""

    images: Images
    left: Labels
    right: Labels


def pairs(part: Part, n: int, seed: int | Sequence[int]) -> Pairs:
    """`n` images whose right digits are spread evenly over 0 to 9; any digit may be left.

    The parts share no drawing of a digit. No drawing is used twice on one side before all have
    been: with as many images as the part has drawings, each is used once on the left and on the
    right.

    Args:
        part: "model": what a model may be trained on, 1,077 drawings; "train", "dev" and "test":
            what a prompt is tuned and judged on, 16, 16 and 40 drawings of each digit.
    """
    drawings, digits = _parts()[part]
    random = np.random.default_rng(seed)
    left = np.resize(random.permutation(len(digits)), n)
    right = np.resize(_taking_turns(digits, random), n)
    images = np.zeros((n, PIXELS, PIXELS), np.uint8)
    images[:, 8:24, :16], images[:, 8:24, 16:] = drawings[left], drawings[right]
    return Pairs(images, digits[left], digits[right])


def splits(
    shots: int = 16, seed: int = 0, look: str = "clean"
) -> dict[Part, list[tuple[str, bytes]]]:
    """The label and the PNG file of each image: what `write_zip` writes."""
    found: dict[Part, list[tuple[str, bytes]]] = {}
    for number, (part, most) in enumerate(DRAWINGS.items()):
        made = pairs(part, len(NAMES) * (most if part == "test" else shots), (seed, number))
        labels = [NAMES[right] for right in made.right]
        found[part] = list(zip(labels, map(_png, LOOKS[look](made.images)), strict=True))
    return found


def write_zip(path: Path, shots: int = 16, seed: int = 0, look: str = "clean") -> None:
    """A dataset for the service: PNG files called `split/label/number.png`.

    The label is the name of the right digit. `shots` images of each label for train and as many
    for dev, and always 40 for test; the same arguments write the same images in the same order.

    Raises:
        ValueError: `shots` is not from 1 to 16, or there is no such look.
    """
    if not 1 <= shots <= DRAWINGS["train"]:
        raise ValueError(f"shots {shots}: from 1 to {DRAWINGS['train']} are wanted")
    if look not in LOOKS:
        raise ValueError(f"no look {look!r}; there are {', '.join(LOOKS)}")
    with ZipFile(path, "w") as file:
        for part, labelled in splits(shots, seed, look).items():
            for i, (label, image) in enumerate(labelled):
                file.writestr(ZipInfo(f"{part}/{label}/{i:03d}.png", _OLDEST), image)


def _taking_turns(digits: Labels, random: np.random.Generator) -> NDArray[np.intp]:
    """All indices: one of each digit, then another of each, as long as there are any."""
    shuffled = random.permutation(len(digits))
    turn = np.empty(len(digits), np.int64)
    for digit in range(len(NAMES)):
        mine = shuffled[digits[shuffled] == digit]
        turn[mine] = np.arange(len(mine))
    return shuffled[np.argsort(turn[shuffled], kind="stable")]


@lru_cache(1)
def _parts() -> Mapping[Part, tuple[Images, Labels]]:
    """Each part's drawings, enlarged to (n, 16, 16), and their digits."""
    given, digits = load_digits(return_X_y=True)
    small = np.rint(given.reshape(-1, 8, 8) * 255 / 16).astype(np.uint8)
    drawings = small.repeat(2, axis=1).repeat(2, axis=2)
    order = _taking_turns(digits, np.random.default_rng(_SPLIT_SEED))
    ends = np.cumsum([len(NAMES) * size for size in DRAWINGS.values()])
    chosen = dict(zip((*DRAWINGS, "model"), np.split(order, ends), strict=True))
    return {part: (drawings[rows], digits[rows]) for part, rows in chosen.items()}


def _png(image: Images) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()
