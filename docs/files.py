"""`python -m docs.files`: the README's file list, from the first line of every module."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("optimizers", "backends", "jobs", "app", "web", "client/gradless", "benchmarks")
PART = re.compile(r"(?<=<!-- files -->\n).*?(?=<!-- /files -->)", re.DOTALL)


def table() -> str:
    """One row a module, by folder, with the first sentence of its docstring."""
    rows = [f"| `{file.relative_to(ROOT)}` | {_first(file)} |" for file in _modules()]
    return "\n".join(["| file | what it is |", "|---|---|", *rows, ""])


def write() -> None:
    readme = ROOT / "README.md"
    readme.write_text(PART.sub(lambda _: table(), readme.read_text()))


def _modules() -> list[Path]:
    found = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]
    return [file for file in found if "versions" not in file.parts and _first(file)]


def _first(file: Path) -> str:
    """The first line of a module's docstring; "" where there is none."""
    lines = (ast.get_docstring(ast.parse(file.read_text())) or "").splitlines()
    return lines[0].replace("|", "\\|") if lines else ""


if __name__ == "__main__":
    write()
