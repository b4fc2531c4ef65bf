"""Two handwritten digits as a task for prompts: the label is the one on the right."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from benchmarks.digits import NAMES, splits
from jobs.pictures import Pictures
from jobs.task import Example, Split, Task

TEMPLATE = "{prompt} {image} a photo of a {label}."  # what an image dataset gets by default


@dataclass(frozen=True)
class Digits:
    """One look of the images: "clean", or "faded", which the model has never seen."""

    look: str
    manual: str = "the digit on the right,"

    @property
    def name(self) -> str:
        return f"two-digits, {self.look}"

    def problem(self, root: Path, seed: int, test_rows: int) -> tuple[Task, Split]:
        """16 shots of each digit for train and dev, drawn by the seed; 40 for test at most."""
        files: dict[str, bytes] = {}
        parts: dict[str, tuple[Example, ...]] = {}
        for part, labelled in splits(16, seed, self.look).items():
            rows = []
            for label, image in labelled:
                name = f"sha256:{sha256(image).hexdigest()}"
                files[name] = image
                rows.append(Example({"image": name}, label))
            parts[part] = tuple(rows)
        task = Task(TEMPLATE, {name: name for name in NAMES}, pictures=Pictures("image", files))
        return task, Split(parts["train"], parts["dev"], parts["test"][:test_rows])


DIGITS = (Digits("clean"), Digits("faded"))
