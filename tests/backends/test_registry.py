"""The list of backends is data, and mistakes in a job are refused before a model is loaded."""

import subprocess
import sys

import pytest

from backends.registry import (
    KINDS,
    UnknownBackend,
    check_options,
    describe_options,
    find,
    open_backend,
)


def test_importing_the_registry_loads_no_model_library():
    code = "import sys, backends.registry; print({'torch', 'transformers'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stderr


def test_a_mistyped_kind_is_answered_with_the_right_one():
    with pytest.raises(UnknownBackend, match="no backend 'encodr', did you mean 'encoder'"):
        find("encodr")
    with pytest.raises(UnknownBackend, match=f"there are {', '.join(KINDS)}"):
        find("zzz")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_it_is(kind):
    assert find(kind).summary.endswith(".")
    assert find(kind).capabilities
    assert describe_options(kind).keys() == find(kind).options.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_every_default_is_allowed(kind):
    needed = {name: "given" for name, option in find(kind).options.items() if option.required}
    defaults = {name: option.default for name, option in find(kind).options.items()}
    check_options(kind, defaults | needed)


def test_what_is_required_has_to_be_given():
    wanted = "openai needs the option 'base_url': address of its /v1"
    with pytest.raises(ValueError, match=wanted):
        check_options("openai", {"currency": "EUR"})
    with pytest.raises(ValueError, match="base_url=None: a text is wanted"):
        check_options("openai", {"base_url": None})


@pytest.mark.parametrize(
    "name, value, wanted",
    [
        ("scale", 0, "a finite number above 0"),
        ("scale", -1.5, "a finite number above 0"),
        ("scale", float("nan"), "a finite number above 0"),
        ("scale", float("inf"), "a finite number above 0"),
        ("scale", 10**400, "a finite number above 0"),
        ("scale", "20", "a finite number above 0"),
        ("scale", True, "a finite number above 0"),
        ("scale", None, "a finite number above 0"),
        ("threads", 0, "a whole number above 0, at most 1024"),
        ("threads", 2.0, "a whole number above 0, at most 1024"),
        ("threads", 10**9, "a whole number above 0, at most 1024"),
        ("dtype", "float16", "'float32' or 'bfloat16'"),
        ("dtype", 32, "'float32' or 'bfloat16'"),
    ],
)
def test_a_bad_value_is_named_with_what_is_wanted(name, value, wanted):
    with pytest.raises(ValueError) as refusal:
        check_options("encoder", {name: value})
    assert str(refusal.value) == f"encoder option {name}={value!r}: {wanted} is wanted"


def test_good_values_pass():
    check_options("encoder", {"scale": 5, "threads": 1, "dtype": "bfloat16"})
    check_options("encoder", {"threads": None})


def test_an_unknown_option_is_answered_with_the_right_one():
    with pytest.raises(ValueError, match="encoder has no option 'scal', did you mean 'scale'"):
        check_options("encoder", {"scal": 1.0})


def test_options_are_described_in_words():
    assert describe_options("encoder")["scale"] == (
        "nats that one unit of cosine is worth; a finite number above 0, default 20.0"
    )


def test_open_backend_checks_before_it_loads():
    with pytest.raises(ValueError, match="scale"):
        open_backend("encoder", "no such folder", scale=-1)
    with pytest.raises(UnknownBackend):
        open_backend("decoder", "minilm")


def test_open_backend_passes_options_on(tiny, tiny_folder):
    from backends.base import Query

    doubled = open_backend("encoder", str(tiny_folder), scale=40.0)
    ask = [Query("a good film")], ["good", "bad"]
    assert doubled.score(*ask) == pytest.approx(2 * tiny.score(*ask))
