import pytest

from jobs.admission import admit
from jobs.cloning import changed
from jobs.spec import JobSpec
from tests.jobs.conftest import COLORS


@pytest.fixture
def stored(catalog):
    spec = JobSpec.model_validate(COLORS | {"name": "first", "task": {"baseline": "Color?"}})
    return admit(spec, catalog).model_dump(mode="json")


def test_a_clone_without_changes_is_the_same(stored, catalog):
    assert changed(stored, {}) == stored
    assert admit(JobSpec.model_validate(stored), catalog).model_dump(mode="json") == stored


def test_fields_inside_are_merged(stored):
    made = changed(stored, {"budget": {"queries": 9_000}, "method": {"sigma0": 0.5}, "seed": 4})
    assert made["budget"] == stored["budget"] | {"queries": 9_000}
    assert made["method"] == stored["method"] | {"sigma0": 0.5}
    assert made["seed"] == 4
    assert stored["seed"] == 3, "the old one is left as it was"


def test_null_takes_a_field_back_to_its_default(stored, catalog):
    made = changed(stored, {"name": None, "task": {"baseline": None, "template": None}})
    spec = admit(JobSpec.model_validate(made), catalog)
    assert (spec.name, spec.task.baseline, spec.task.template) == (None, "", "{prompt} {text}")


@pytest.mark.parametrize("method", [{"preset": "fast"}, {"name": "zo"}, {"name": "bbt"}])
def test_another_method_or_preset_brings_its_own_settings(method, stored):
    spec = JobSpec.model_validate(changed(stored, {"method": method | {"intrinsic_dim": 5}}))
    fresh = {"name": "bbt"} | method | {"intrinsic_dim": 5}
    assert spec.method == JobSpec.model_validate(COLORS | {"method": fresh}).method
    assert spec.method.intrinsic_dim == 5


def test_what_is_no_object_is_replaced(stored):
    assert changed(stored, {"budget": 5})["budget"] == 5
    assert changed(stored, {"method": "bbt"})["method"] == "bbt"
    assert changed(stored, {"metadata": {"a": "b"}})["metadata"] == {"a": "b"}
    assert changed(stored, {"task": {"metric": {"name": "f1"}}})["task"]["metric"] == {"name": "f1"}
