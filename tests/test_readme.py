"""The README names what there is, and its example is the one that runs."""

import json
import re
from pathlib import Path

from app.settings import Settings
from docs import files
from jobs.catalog import Catalog
from jobs.database import Database
from jobs.methods import METHODS
from jobs.spec import JobSpec

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_file_list_is_that_of_the_tree() -> None:
    found = files.PART.search(README)
    assert found, "the README has lost its markers <!-- files -->"
    assert found[0] == files.table(), "run `python -m docs.files`"


def test_every_method_has_its_row_with_its_citation() -> None:
    for name, method in METHODS.items():
        assert re.search(rf"\| `{name}` \|.*{re.escape(method.citation)}", README)


def test_every_built_in_is_named(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/readme.db")
    database.migrate()
    catalog = Catalog(database)
    catalog.add_built_ins()
    for row in [*catalog.endpoints(), *catalog.datasets()]:
        assert f"`{row.id}`" in README
    database.close()


def test_every_make_target_that_is_promised_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    promised = re.findall(r"make ([a-z]+)", README + (ROOT / "CONTRIBUTING.md").read_text())
    assert len(promised) > 5
    for target in promised:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"


def test_the_example_is_a_job_spec_for_the_built_ins() -> None:
    spec = JobSpec.model_validate(json.loads((ROOT / "examples" / "bbt-tickets.json").read_text()))
    assert (spec.endpoint, spec.dataset) == ("minilm", "tickets")


def test_every_local_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) > 3
    for link in links:
        assert (ROOT / link).exists(), link


def test_every_setting_that_is_named_is_one() -> None:
    named = set(re.findall(r"GRADLESS_[A-Z_]+", README)) - {"GRADLESS_URL"}
    assert named <= {f"GRADLESS_{name.upper()}" for name in Settings.model_fields}
