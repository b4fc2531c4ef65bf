"""`make bench`: accuracy and speed into benchmarks/results, as JSON and a Markdown table."""

import argparse
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from backends.encoder import Encoder
from benchmarks import accuracy, speed
from benchmarks.tasks import BENCHMARKS
from jobs.methods import BBT

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
COLUMNS = ("no_prompt", "manual", "tuned", "logistic_regression")


def main() -> None:
    options = _options()
    if not options.data.is_dir():
        sys.exit(f"no few-shot sets in {options.data}; say where they are with --data")
    RESULTS.mkdir(exist_ok=True)
    backend = Encoder()
    if options.only != "accuracy":
        _write("speed", {"speed": speed.measure(options.data, backend)})
    if options.only != "speed":
        _write("accuracy", {"rows": list(_accuracy(options, backend))})


def _accuracy(options: argparse.Namespace, backend: Encoder) -> Any:
    method = BBT.with_preset(options.preset)
    for benchmark in BENCHMARKS:
        for seed in options.seeds:
            split = benchmark.load(options.data, seed, options.test_rows)
            row = accuracy.measure(
                benchmark, split, backend, method, budget=options.budget, seed=seed
            )
            row["method"] = f"bbt, preset {options.preset}"
            print(_table_row(row), flush=True)
            yield row


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "few-shot")
    parser.add_argument("--seeds", type=int, nargs="+", default=[13, 21])
    parser.add_argument("--budget", type=int, default=20_000, help="train and dev queries")
    parser.add_argument("--preset", default="fast", choices=list(BBT.presets))
    parser.add_argument("--test-rows", type=int, default=500)
    parser.add_argument("--only", choices=["accuracy", "speed"])
    return parser.parse_args()


def _write(name: str, body: dict[str, Any]) -> None:
    about = {
        "command": f'make bench ARGS="{" ".join(sys.argv[1:])}"',
        "python": platform.python_version(),
        "torch": version("torch"),
        "transformers": version("transformers"),
        "cma": version("cma"),
    }
    (RESULTS / f"{name}.json").write_text(json.dumps({**about, **body}, indent=1) + "\n")
    table = _speed_table(body["speed"]) if name == "speed" else _accuracy_table(body["rows"])
    (RESULTS / f"{name}.md").write_text(f"`{about['command']}`\n\n{table}\n")


def _accuracy_table(rows: list[dict[str, Any]]) -> str:
    head = "| set | seed | n | no prompt | manual | tuned | p | logistic regression | queries |"
    return "\n".join([head, "|" + "---|" * 9, *map(_table_row, rows)])


def _table_row(row: dict[str, Any]) -> str:
    cells = [
        f"{row[name]['accuracy']:.1%} ({row[name]['low']:.1%}-{row[name]['high']:.1%})"
        for name in COLUMNS
    ]
    cells.insert(3, f"{row['p_value']:.2g}")
    n = row["tuned"]["n"]
    return f"| {row['dataset']} | {row['seed']} | {n} | {' | '.join(cells)} | {row['queries']:,} |"


def _speed_table(figures: dict[str, Any]) -> str:
    return "\n".join(
        ["| what | value |", "|---|---|", *(f"| {k} | {v} |" for k, v in figures.items())]
    )


if __name__ == "__main__":
    main()
