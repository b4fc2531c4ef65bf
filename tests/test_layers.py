"""The import rules and the limits of size of the house, kept true."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"app", "backends", "benchmarks", "gradless", "jobs", "optimizers", "tests", "web"}
MAY_IMPORT = {
    "optimizers": (),
    "backends": (),
    "jobs": ("optimizers", "backends"),
    "web": (),
    "app": ("jobs", "web", "backends.base", "backends.registry"),
    "client/gradless": (),
}
LONGEST_FILE = 300  # lines
LONGEST_FUNCTION = 40  # lines, without the docstring
MAY_BE_LONG = {
    "jobs/migrations/versions": "written by Alembic: one statement a column",
    "tests/jobs/test_runner.py": "one bench, and every way in which a job can end on it",
    "client/tests/sdk_service.py": "one small service that answers the whole contract",
}

FOLDERS = [*MAY_IMPORT, "benchmarks"]
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
LAYERED = [path for path in FILES if "benchmarks" not in path.parts]
TESTS = [path for folder in ("tests", "client/tests") for path in (ROOT / folder).rglob("*.py")]
LIMITED = [
    path
    for path in [*FILES, *sorted(TESTS)]
    if not any(path.is_relative_to(ROOT / place) for place in MAY_BE_LONG)
]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(source: str) -> set[str]:
    """Every module named by an import, at the top or inside a function."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import hides its layer"
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


def forbidden(source: str, folder: str) -> list[str]:
    """Imports of ours that this folder may not have."""
    mine = (Path(folder).name, *MAY_IMPORT[folder])
    return sorted(
        module
        for module in imported(source)
        if module.split(".")[0] in OURS
        and not any(f"{module}.".startswith(f"{allowed}.") for allowed in mine)
    )


def lengths(source: str) -> dict[str, int]:
    """Function -> lines from `def` to its end, without the docstring."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            docstring = 0
            if ast.get_docstring(node, clean=False) is not None:
                docstring = (first.end_lineno or 0) - first.lineno + 1
            found[node.name] = (node.end_lineno or 0) - node.lineno + 1 - docstring
    return found


def test_all_folders_are_there():
    assert {name(path).rsplit("/", 1)[0] for path in FILES} >= set(MAY_IMPORT)


@pytest.mark.parametrize("path", LAYERED, ids=name)
def test_imports_point_down(path):
    folder = next(folder for folder in MAY_IMPORT if path.is_relative_to(ROOT / folder))
    assert forbidden(path.read_text(), folder) == []


@pytest.mark.parametrize("path", LIMITED, ids=name)
def test_files_and_functions_are_short(path):
    source = path.read_text()
    assert len(source.splitlines()) <= LONGEST_FILE
    assert {f: n for f, n in lengths(source).items() if n > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("optimizers", "from backends.base import Query"),
        ("backends", "import optimizers.cma"),
        ("jobs", "from app.settings import Settings"),
        ("app", "from backends.encoder import Encoder"),
        ("app", "def late():\n    import backends.encoder"),
        ("app", "from optimizers.cma import cma_es"),
        ("web", "from jobs import models"),
        ("client/gradless", "import jobs"),
    ],
)
def test_the_rules_can_be_broken(folder, line):
    assert forbidden(line, folder) != []


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("jobs", "from backends.encoder import Encoder"),
        ("app", "from backends import registry"),
        ("app", "from backends.base import BackendError"),
        ("app", "import webbrowser, jobserver"),
        ("client/gradless", "from gradless.types import Job"),
    ],
)
def test_the_rules_can_be_kept(folder, line):
    assert forbidden(line, folder) == []


def test_docstrings_are_not_counted():
    assert lengths('def f():\n    """One.\n\n    Two.\n    """\n    return 1\n') == {"f": 2}
