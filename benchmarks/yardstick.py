"""What gradients reach with the same soft prompt: a reference, and no method of the service.

`python -m benchmarks.yardstick`. Five soft tokens of minilm start from words and go down by Adam on
mini-batches of the train rows, with torch's autograd; the step with the lowest dev loss is judged
on the test rows. Every run is written to `results/yardstick.json` as it ends, so that a table that
was stopped goes on where it was.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize
from transformers import AutoModel, AutoTokenizer

from backends.encoder import Encoder, _folder
from benchmarks.accuracy import NO_PROMPT, classifier
from benchmarks.compare import interval
from benchmarks.tasks import BENCHMARKS, Benchmark
from jobs.objective import Objective
from jobs.prompts import SoftPrompt
from jobs.report import summary
from jobs.task import Example, Task

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
SCALE = 20.0  # of the cosines, as the service's encoder has it


@dataclass(frozen=True)
class Descent:
    """How the reference descends, on all sets alike."""

    start: str = "this question asks about a"
    steps: int = 100
    batch_size: int = 16
    rate: float = 0.003  # of Adam; the embeddings spread by 0.056
    every: int = 10  # steps between two looks at dev


@dataclass(frozen=True)
class Reader:
    """minilm as the service reads it, in torch and with gradients."""

    model: Any
    tokenizer: Any
    labels: Tensor  # unit vectors, shape (n_labels, hidden)

    @classmethod
    def of(cls, encoder: Encoder, task: Task) -> "Reader":
        folder = _folder("minilm")
        model = AutoModel.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        words = [encoder._label(word) for word in task.words]
        return cls(model.requires_grad_(False).eval(), tokenizer, torch.tensor(np.stack(words)))

    def scores(self, soft: Tensor, texts: Sequence[str]) -> Tensor:
        """Scaled cosines, shape (n_texts, n_labels); `soft`, (n_tokens, hidden), after [CLS]."""
        room = 256 - len(soft)
        read = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=room, return_tensors="pt"
        )
        words = self.model.embeddings.word_embeddings(read["input_ids"])
        prompt, seen = soft.expand(len(texts), -1, -1), read["attention_mask"]
        mask = torch.cat([seen.new_ones(len(texts), len(soft)), seen], dim=1)
        inputs = torch.cat([words[:, :1], prompt, words[:, 1:]], dim=1)
        hidden = self.model(inputs_embeds=inputs, attention_mask=mask).last_hidden_state
        means = (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        cosines: Tensor = normalize(means) @ self.labels.float().T
        return SCALE * cosines


def tuned(
    encoder: Encoder,
    task: Task,
    train: Sequence[Example],
    dev: Objective,
    descent: Descent,
    seed: int,
) -> SoftPrompt:
    """The prompt with the lowest dev loss of those on the way down, the start included."""
    reader, random = Reader.of(encoder, task), np.random.default_rng(seed)
    soft = torch.tensor(encoder.embed(descent.start)).requires_grad_()
    optimizer = torch.optim.Adam([soft], descent.rate)
    best, lowest = _prompt(soft), np.inf
    for step in range(descent.steps + 1):
        if step % descent.every == 0:
            prompt = _prompt(soft)
            loss = dev.score([(prompt, None)])[0].loss
            if loss < lowest:
                best, lowest = prompt, loss
        rows = random.permutation(len(train))[: descent.batch_size]
        texts = [task.query(NO_PROMPT, train[row].inputs).before for row in rows]
        targets = torch.tensor([task.labels.index(train[row].label) for row in rows])
        optimizer.zero_grad()
        missed: Any = cross_entropy(reader.scores(soft, texts), targets)
        missed.backward()
        optimizer.step()
    return best


def _prompt(soft: Tensor) -> SoftPrompt:
    vectors: NDArray[np.float32] = soft.detach().numpy().copy()
    return SoftPrompt(vectors[None])


def run(
    encoder: Encoder, benchmark: Benchmark, data: Path, seed: int, descent: Descent
) -> dict[str, Any]:
    """Test accuracy of one set and seed: without a prompt, tuned, and of a classifier."""
    task, split = benchmark.task(), benchmark.load(data, seed, test_rows=500)
    start = time.perf_counter()
    dev, test = Objective(task, encoder, split.dev), Objective(task, encoder, split.test)
    found = tuned(encoder, task, split.train, dev, descent, seed)
    seconds = time.perf_counter() - start
    before, after = test.score([(NO_PROMPT, None), (found, None)])
    return {
        "set": benchmark.name,
        "seed": seed,
        "seconds": round(seconds, 1),
        "no_prompt": summary(before),
        "gradients": summary(after),
        "logistic_regression": summary(classifier(encoder, task, split)),
    }


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    file, descent = RESULTS / "yardstick.json", Descent()
    rows = json.loads(file.read_text())["rows"] if file.exists() else []
    known = {(row["set"], row["seed"]) for row in rows}
    encoder = Encoder(threads=options.threads)
    for seed in options.seeds:
        for benchmark in BENCHMARKS:
            if benchmark.name in options.sets and (benchmark.name, seed) not in known:
                rows.append(run(encoder, benchmark, options.data, seed, descent))
                _write(rows, descent)
                print(_line(rows[-1]), flush=True)
    _write(rows, descent)


def _options() -> argparse.Namespace:
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.yardstick", description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "few-shot")
    parser.add_argument("--sets", nargs="+", default=names, choices=names)
    parser.add_argument("--seeds", type=int, nargs="+", default=[13, 21, 42])
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def _write(rows: list[dict[str, Any]], descent: Descent) -> None:
    command = "python -m benchmarks.yardstick"
    body = {"command": command, "descent": asdict(descent), "rows": rows}
    (RESULTS / "yardstick.json").write_text(json.dumps(body, indent=1) + "\n")
    head = ("set", "seed", "no prompt", "gradients", "logistic regression", "seconds")
    lines = [" | ".join(head), "|".join(["---"] * len(head)), *map(_line, rows)]
    table = "\n".join(f"| {line} |" for line in lines)
    (RESULTS / "yardstick.md").write_text(
        f"`{command}`\n\n{table}\n\n{_gains(rows)}\n\n{_note(descent)}\n"
    )


def _line(row: dict[str, Any]) -> str:
    shares = [
        f"{row[name]['accuracy']:.1%} ({row[name]['low']:.1%}-{row[name]['high']:.1%})"
        for name in ("no_prompt", "gradients", "logistic_regression")
    ]
    return " | ".join([row["set"], str(row["seed"]), *shares, f"{row['seconds']:.0f}"])


def _gains(rows: list[dict[str, Any]]) -> str:
    """Over no prompt, in points, with Student's interval over the runs."""
    gains = {
        name: [row[name]["accuracy"] - row["no_prompt"]["accuracy"] for row in rows]
        for name in ("gradients", "logistic_regression")
    }
    told = [f"{name.replace('_', ' ')} {interval(some, '{:+.1f}')}" for name, some in gains.items()]
    return f"Gain over no prompt in {len(rows)} runs (points, 95 %): {', '.join(told)}."


def _note(descent: Descent) -> str:
    return (
        f'Five soft tokens of minilm from "{descent.start}", by gradients: {descent.steps} steps '
        f"of Adam at {descent.rate} on {descent.batch_size} train rows each, the lowest dev loss "
        f"of every {descent.every} steps. 16-shot splits, 500 test rows (95 % intervals)."
    )


if __name__ == "__main__":
    main()
