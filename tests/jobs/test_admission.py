import copy

import pytest

import jobs.admission
from jobs.admission import Refused, admit
from jobs.catalog import NoSuchDataset, NoSuchEndpoint, Upload
from jobs.datasets import Reading
from jobs.spec import EXAMPLE, JobSpec
from tests.jobs.conftest import COLORS

ONE_GENERATION = 16 + 40  # queries: the baseline and a generation of COLORS
WORDS = {"blue": "sky", "red": "blood"}


def spec(**changes):
    return JobSpec.model_validate(copy.deepcopy(COLORS) | changes)


def test_the_task_is_filled_in(catalog):
    admitted = admit(spec(), catalog)
    assert admitted.task.template == "{prompt} {text}"
    assert admitted.task.verbalizer == {"blue": "blue", "red": "red"}
    assert admitted.model_copy(update={"task": spec().task}) == spec(), "nothing else is changed"


def test_the_example_is_admitted(catalog):
    assert admit(JobSpec.model_validate(EXAMPLE), catalog).dataset == "tickets"


def test_own_words_stand_in_the_dataset_s_order(catalog):
    turned = {"red": "blood", "blue": "sky"}
    admitted = admit(spec(task={"template": "{text}: {prompt}", "verbalizer": turned}), catalog)
    assert list(admitted.task.verbalizer.items()) == list(WORDS.items())
    assert admitted.task.template == "{text}: {prompt}"


def test_every_column_is_in_the_default_template(catalog):
    rows = "".join(
        f"{a},{a}{i},{a},{split}\n"
        for split in ("train", "dev", "test")
        for a in "xy"
        for i in "12"
    )
    upload = Upload("pairs.csv", f"first,second,label,split\n{rows}".encode())
    catalog.add_dataset("pairs", upload, Reading())
    assert admit(spec(dataset="pairs"), catalog).task.template == "{prompt} {first} {second}"


@pytest.mark.parametrize(
    ("change", "param", "code", "message"),
    [
        (
            {"task": {"template": "{prompt} {txt}"}},
            "task.template",
            "unknown_slot",
            "no slot {txt}; did you mean 'text'?",
        ),
        (
            {"task": {"template": "{prompt} {text} {text}"}},
            "task.template",
            "repeated_slot",
            "slot {text} stands twice",
        ),
        (
            {"task": {"template": "{prompt} {prompt} {text}"}},
            "task.template",
            "repeated_slot",
            "slot {prompt} stands twice",
        ),
        (
            {"task": {"template": "{prompt} hello"}},
            "task.template",
            "no_input_slot",
            "the template shows no input",
        ),
        (
            {"task": {"template": ""}},
            "task.template",
            "no_input_slot",
            "use at least one of {text}",
        ),
        (
            {"task": {"template": "{text}"}},
            "task.template",
            "no_prompt_slot",
            "the template has no {prompt} slot",
        ),
        (
            {"task": {"verbalizer": {"blue": "sky"}}},
            "task.verbalizer",
            "missing_label",
            "no label word for 'red'",
        ),
        ({"task": {"verbalizer": {}}}, "task.verbalizer", "missing_label", "'blue', 'red'"),
        (
            {"task": {"verbalizer": {**WORDS, "rad": "x"}}},
            "task.verbalizer",
            "unknown_label",
            "no label 'rad'; did you mean 'red'?",
        ),
        (
            {"task": {"verbalizer": {"blue": "sky", "red": " "}}},
            "task.verbalizer",
            "bad_label_words",
            "different and not empty",
        ),
        (
            {"task": {"verbalizer": {"blue": "sky", "red": "sky "}}},
            "task.verbalizer",
            "bad_label_words",
            "different and not empty",
        ),
        (
            {"budget": {"queries": ONE_GENERATION - 1}},
            "budget.queries",
            "budget_too_small",
            "wanted at least 56",
        ),
    ],
)
def test_refusals(change, param, code, message, catalog):
    with pytest.raises(Refused) as refusal:
        admit(spec(**change), catalog)
    assert (refusal.value.param, refusal.value.code) == (param, code)
    assert message in str(refusal.value)


def test_a_model_that_cannot_what_the_method_needs(catalog, monkeypatch):
    monkeypatch.setattr(jobs.admission, "endpoint_capabilities", lambda row: ["text_prompts"])
    with pytest.raises(Refused, match=r"bbt needs soft_prompts; .* offers text_prompts") as refusal:
        admit(spec(), catalog)
    assert (refusal.value.param, refusal.value.code) == ("method.name", "method_endpoint_mismatch")


def test_words_after_the_label_on_a_model_that_only_goes_on(catalog, monkeypatch):
    task = {"template": "{prompt} {text} It was {label}, really"}
    assert admit(spec(task=task), catalog).task.template == task["template"]
    monkeypatch.setattr(jobs.admission, "endpoint_capabilities", lambda row: ["soft_prompts"])
    with pytest.raises(Refused, match=r"', really' stands after \{label\}") as refusal:
        admit(spec(task=task), catalog)
    assert (refusal.value.param, refusal.value.code) == ("task.template", "text_after_label")


def test_a_setting_that_names_a_column_there_is_not(catalog):
    method = {"name": "promptboosting", "templates": ["{text} {body}"]}
    with pytest.raises(Refused, match=r"no column for \{body\}") as refusal:
        admit(spec(method=method), catalog)
    assert (refusal.value.param, refusal.value.code) == ("method", "unknown_name")


def test_the_smallest_budget_is_one_generation(catalog):
    small = spec(budget={"queries": ONE_GENERATION})
    assert admit(small, catalog).budget.queries == ONE_GENERATION


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"endpoint": "minilmm"}, NoSuchEndpoint, "did you mean 'minilm'"),
        ({"dataset": "ticket"}, NoSuchDataset, "did you mean 'tickets'"),
    ],
)
def test_unknown_names(change, error, message, catalog):
    with pytest.raises(error, match=message):
        admit(spec(**change), catalog)
