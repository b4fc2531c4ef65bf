import copy
import json
import math

import pytest
from pydantic import ValidationError

from jobs.methods import METHODS, did_you_mean
from jobs.spec import EXAMPLE, JobSpec


def changed(path, value):
    """The example with one field changed; None: taken away."""
    body = copy.deepcopy(EXAMPLE)
    *parents, last = path
    inner = body
    for name in parents:
        inner = inner.setdefault(name, {})
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return body


def errors(body):
    """What is wrong, each at its place; members of a union, in brackets, are left out as in app."""
    with pytest.raises(ValidationError) as caught:
        JobSpec.model_validate(body)
    found = caught.value.errors()
    return [{**each, "loc": tuple(x for x in each["loc"] if str(x)[0] != "[")} for each in found]


def test_the_example_is_valid_and_survives_json():
    spec = JobSpec.model_validate(EXAMPLE)
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec
    assert JobSpec.model_validate(json.loads(json.dumps(spec.model_dump(mode="json")))) == spec
    assert JobSpec.model_json_schema()["examples"] == [EXAMPLE]


@pytest.mark.parametrize(
    ("path", "near"),
    [
        (("endpont",), "endpoint"),
        (("task", "tamplate"), "template"),
        (("method", "intrinsic_dimension"), "intrinsic_dim"),
        (("budget", "querys"), "queries"),
    ],
)
def test_an_unknown_field_is_answered_with_the_near_one(path, near):
    (error,) = errors(changed(path, 5))
    assert error["type"] == "unknown_field"
    assert f"unknown field {path[-1]!r}; did you mean {near!r}?" in error["msg"]
    assert error["loc"] == path[:-1]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"name": "btt"}, "no method 'btt'; did you mean 'bbt'? there are: shift"),
        ("btt", "no method 'btt'; did you mean"),
        ({"name": 7}, "no method 7; there are: shift"),
        ({"preset": "fast"}, "no method name; there are: shift"),
        ({}, "no method name; there are: shift"),
        (7, "no method 7; there are: shift"),
        ({"name": "btt", "sigma": 1}, "no method 'btt'"),
        ({"name": ["bbt"]}, "no method ['bbt']"),
    ],
)
def test_an_unknown_method(method, message):
    (error,) = errors(changed(("method",), method))
    assert message in error["msg"]
    assert (error["type"], error["loc"]) == ("unknown_method", ("method",))


@pytest.mark.parametrize("field", ["sigma0", "alpha", "bound"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "nan", 1e300, -1.0])
def test_numbers_are_finite_and_in_range(field, value):
    (error,) = errors(changed(("method", field), value))
    assert error["loc"] == ("method", field)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("endpoint",), 5),
        (("endpoint",), ""),
        (("endpoint",), None),
        (("dataset",), ["tickets"]),
        (("dataset",), "x" * 101),
        (("method", "intrinsic_dim"), "many"),
        (("method", "intrinsic_dim"), 1.5),
        (("method", "intrinsic_dim"), 1),
        (("method", "population_size"), 3),
        (("method", "preset"), "slow"),
        (("method", "preset"), ["fast"]),
        (("method", "loss"), "mse"),
        (("method", "projection"), {"normal": 1}),
        (("budget",), 1000),
        (("budget",), None),
        (("budget", "queries"), 0),
        (("budget", "queries"), 10**9 + 1),
        (("budget", "queries"), "many"),
        (("budget", "queries"), None),
        (("seed",), -1),
        (("seed",), 2**32),
        (("task",), "text"),
        (("task", "template"), 5),
        (("task", "template"), "x" * 20_001),
        (("task", "verbalizer"), ["bad"]),
        (("task", "verbalizer"), {"a": 1}),
        (("task", "baseline"), 5),
        (("metadata",), {"k" * 65: "v"}),
        (("metadata",), {"k": "v" * 513}),
        (("metadata",), {str(k): "v" for k in range(17)}),
    ],
)
def test_wrong_values_are_named(path, value):
    found = errors(changed(path, value))
    assert all(error["loc"][: len(path)] == path for error in found), found


@pytest.mark.parametrize("body", [None, [], "minilm", 5, {}])
def test_what_is_no_job(body):
    assert errors(body)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("form", [lambda name: name, lambda name: {"name": name}])
def test_a_method_by_its_name_alone(name, form):
    spec = JobSpec.model_validate(changed(("method",), form(name)))
    assert spec.method == METHODS[name]()


@pytest.mark.parametrize(
    ("method", "preset"), [(m, p) for m, cls in METHODS.items() for p in cls.presets]
)
def test_presets_fill_and_give_way(method, preset):
    cls = METHODS[method]
    filled = cls.with_preset(preset)
    assert filled.preset == preset
    for name, value in cls.presets[preset].items():
        assert getattr(filled, name) == value
        default = cls.model_fields[name].default
        body = {"name": method, "preset": preset, name: default}
        own = JobSpec.model_validate(changed(("method",), body)).method
        assert getattr(own, name) == default, "what is given is stronger than the preset"
        assert own == filled.model_copy(update={name: default})


def test_the_fast_preset_is_not_the_paper_s():
    bbt = METHODS["bbt"]
    assert bbt.with_preset("fast") != bbt.with_preset("paper") == bbt()


@pytest.mark.parametrize(("sigma0", "bound", "fits"), [(1, 1, False), (1, 1.5, True), (9, 0, True)])
def test_a_step_too_large_for_its_bound_is_refused_early(sigma0, bound, fits):
    body = changed(("method",), {"name": "bbt", "sigma0": sigma0, "bound": bound})
    if fits:
        assert JobSpec.model_validate(body).method.bound == bound
    else:
        (error,) = errors(body)
        assert error["loc"][0] == "method" and "sigma0" in error["msg"]


def test_specs_do_not_change():
    spec = JobSpec.model_validate(EXAMPLE)
    with pytest.raises(ValidationError):
        spec.seed = 5


def test_did_you_mean():
    assert did_you_mean("tiket", ["ticket", "reviews"]) == (
        "did you mean 'ticket'? there are: ticket, reviews"
    )
    assert did_you_mean("zzz", ["ticket"]) == "there are: ticket"
