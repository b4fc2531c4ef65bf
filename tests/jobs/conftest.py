"""A migrated database a test, its three views, and a small dataset that the toy model can learn."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.admission import admit
from jobs.catalog import Catalog, Upload
from jobs.database import Database
from jobs.datasets import Reading
from jobs.models import JobRow
from jobs.queue import JobQueue
from jobs.spec import JobSpec
from jobs.store import JobStore

SIZES = {"train": 4, "dev": 4, "test": 10}  # rows of each label
COLORS_CSV = "text,label,split\n" + "".join(
    f"row {number} of {split} is {color},{color},{split}\n"
    for split, n in SIZES.items()
    for number in range(n)
    for color in ("blue", "red")
)
COLORS: dict[str, Any] = {
    "endpoint": "minilm",
    "dataset": "colors",
    "method": {"name": "bbt", "intrinsic_dim": 4, "n_prompt_tokens": 2, "population_size": 4},
    "budget": {"queries": 16 + 6 * 40},  # the baseline and six generations
    "seed": 3,
}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the built-ins and the dataset `colors`, to be copied."""
    file = tmp_path_factory.mktemp("template") / "jobs.db"
    database = Database(f"sqlite:///{file}")
    database.migrate()
    catalog = Catalog(database)
    catalog.add_built_ins()
    catalog.add_dataset("colors", Upload("colors.csv", COLORS_CSV.encode()), Reading())
    database.close()
    return file


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Iterator[Database]:
    file = shutil.copy(template, tmp_path / "jobs.db")
    database = Database(f"sqlite:///{file}")
    yield database
    database.close()


@pytest.fixture
def catalog(database: Database) -> Catalog:
    return Catalog(database)


@pytest.fixture
def store(database: Database) -> JobStore:
    return JobStore(database)


@pytest.fixture
def queue(database: Database) -> JobQueue:
    return JobQueue(database)


@pytest.fixture
def enqueue(store: JobStore, catalog: Catalog) -> Callable[..., JobRow]:
    """Puts an admitted job into the queue: COLORS with some fields changed."""

    def put(**changes: Any) -> JobRow:
        return store.enqueue(admit(JobSpec.model_validate(COLORS | changes), catalog))

    return put
