"""Answers of every shape become the same values; what is not as promised is never a score."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.remote import parsing
from backends.remote.parsing import LEAST, Position
from backends.remote.pool import Malformed

# As seen on vLLM, on llama.cpp (which answers completions in chat's shape), and on litellm.
LEGACY = {
    "text_offset": [0],
    "tokens": [" great"],
    "token_logprobs": [-0.25],
    "top_logprobs": [{" terrible": -6.5, " great": -0.25}],
}
CONTENT = [
    {
        "id": 274,
        "token": " great",
        "bytes": [32],
        "logprob": -0.25,
        "top_logprobs": [
            {"id": 274, "token": " great", "logprob": -0.25},
            {"id": 278, "token": " terrible", "logprob": -6.5},
        ],
    }
]
CHAT = {"content": CONTENT}
BOTH = {**dict.fromkeys(LEGACY), **CHAT}
GREAT = Position(" great", -0.25, ((" great", -0.25), (" terrible", -6.5)))


def legacy(nats: object) -> dict:
    """One choice whose only token has this for a log-probability."""
    logprobs = {"tokens": ["a"], "token_logprobs": [nats], "top_logprobs": [{"a": nats}]}
    return {"text": "a", "logprobs": logprobs}


@pytest.mark.parametrize("logprobs", [LEGACY, CHAT, BOTH], ids=["legacy", "chat", "both"])
def test_every_shape_reads_alike(logprobs):
    assert parsing.positions({"logprobs": logprobs}) == (GREAT,)
    assert parsing.first({"choices": [{"logprobs": logprobs}]}) == GREAT


def test_the_first_token_of_an_echo_has_no_probability():
    logprobs = {"tokens": ["a", "b"], "token_logprobs": [None, -1], "top_logprobs": None}
    start, end = parsing.positions({"logprobs": logprobs})
    assert (start.logprob, end.logprob, end.top) == (None, -1.0, ())


def test_impossible_tokens_stay_finite_and_rounding_is_forgiven():
    for nats, kept in [(-9999.0, LEAST), (float("-inf"), LEAST), (1e-6, 0.0), (-0.0, 0.0)]:
        assert parsing.positions(legacy(nats))[0].logprob == kept


@pytest.mark.parametrize("nats", [float("nan"), float("inf"), 0.5, "-1", True, [], {}])
def test_what_is_no_log_probability_is_malformed(nats):
    with pytest.raises(Malformed):
        parsing.positions(legacy(nats))


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        {},
        [],
        dict.fromkeys(LEGACY),
        {**LEGACY, "token_logprobs": [-1, -2]},
        {**LEGACY, "token_logprobs": None},
        {**LEGACY, "top_logprobs": [["x"]]},
        {**LEGACY, "tokens": [7]},
        {"content": [None]},
        {"content": [{"token": "a", "logprob": None}]},
        {"content": [{"token": "a", "logprob": -1, "top_logprobs": ["a"]}]},
        {"content": [{"token": "a", "logprob": -1, "top_logprobs": {"a": -1}}]},
    ],
)
def test_log_probabilities_that_are_not_there_are_malformed(logprobs):
    with pytest.raises(Malformed):
        parsing.positions({"text": "a", "logprobs": logprobs})


@pytest.mark.parametrize(
    "answer",
    [{}, {"choices": None}, {"choices": []}, {"choices": ["a"]}, {"choices": [{}, {}]}],
)
def test_another_number_of_choices_is_malformed(answer):
    with pytest.raises(Malformed):
        parsing.choices(answer)


def test_choices_come_in_their_order():
    answer = {"choices": [{"index": 1, "text": "b"}, {"index": 0, "message": {"content": "a"}}]}
    assert parsing.texts(answer, 2) == ["a", "b"]


@pytest.mark.parametrize("choice", [{}, {"text": None}, {"message": {"content": None}}])
def test_no_text_is_not_an_empty_text(choice):
    assert parsing.text({"text": ""}) == ""
    with pytest.raises(Malformed):
        parsing.text(choice)


def test_no_token_at_all_is_malformed():
    with pytest.raises(Malformed):
        parsing.first({"choices": [{"logprobs": {"content": []}}]})


def test_usage_is_told_or_not():
    assert parsing.used({"usage": {"prompt_tokens": 3, "completion_tokens": 0}}) == (3, 0)
    for usage in (None, {}, {"prompt_tokens": 3}, {"prompt_tokens": -1, "completion_tokens": 0}):
        assert parsing.used({"usage": usage}) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*LEGACY, "content", "token", "logprob", "logprobs"]), inner
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_answer_is_malformed_or_in_range(logprobs):
    try:
        found = parsing.positions({"logprobs": logprobs})
    except Malformed:
        return
    for position in found:
        values = [nats for _, nats in position.top] + [position.logprob or 0.0]
        assert all(LEAST <= nats <= 0.0 for nats in values)
        assert list(position.top) == sorted(position.top, key=lambda pair: -pair[1])


def test_the_scale_is_natural_logarithms():
    assert parsing.positions(legacy(log(0.5)))[0].logprob == pytest.approx(-0.693147)
