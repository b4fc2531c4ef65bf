import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from jobs import metrics
from jobs.metrics import METRICS, BadTarget, MetricSpec, SlowPattern, compiled

SPECS = TypeAdapter(MetricSpec)


def score(name, answer, target, **settings):
    return SPECS.validate_python({"name": name, **settings}).score(answer, target)


SCORES = [
    ("exact_match", "  Paris\n", "paris", {}, 1),
    ("exact_match", "Paris.", "paris", {}, 0),
    ("exact_match", "Paris.", "paris", {"ignore_punctuation": True}, 1),
    ("exact_match", "« Paris »", "paris", {"ignore_punctuation": True}, 1),
    ("exact_match", "Paris", "paris", {"ignore_case": False}, 0),
    ("exact_match", "New  York", "New York", {"ignore_case": False}, 1),
    ("exact_match", "cafe\u0301", "caf\u00e9", {}, 1),
    ("exact_match", "", "", {}, 1),
    ("exact_match", "", "x", {}, 0),
    ("contains", "It is PARIS, I think", "paris", {}, 1),
    ("contains", "It is PARIS, I think", "paris", {"ignore_case": False}, 0),
    ("contains", "I do not", "no", {}, 1),
    ("contains", "I do not", "no", {"whole_words": True}, 0),
    ("contains", "Oh no!", "no", {"whole_words": True}, 1),
    ("contains", "a+b", "a+b", {"whole_words": True}, 1),
    ("contains", "", "x", {}, 0),
    ("regex", "Answer: 42", r"answer:\s*\d+", {"ignore_case": True}, 1),
    ("regex", "Answer: 42", r"answer:\s*\d+", {}, 0),
    ("regex", "2026-01-31", "unused", {"pattern": r"^\d{4}-\d{2}-\d{2}$"}, 1),
    ("regex", "so: a.b", "a.b", {"pattern": r"so: {target}$"}, 1),
    ("regex", "so: aXb", "a.b", {"pattern": r"so: {target}$"}, 0),  # the target is no pattern
    ("regex", "so: ababa", "ab", {"pattern": r"so: {target}{2}a"}, 1),  # repeated as a whole
    ("regex", "", ".", {}, 0),
    # SQuAD: precision 1/2 and recall 1; then 2/3 and 1
    ("f1", "The Denver Broncos!", "broncos", {}, 2 / 3),
    ("f1", "in Santa Clara", "Santa Clara", {}, 4 / 5),
    ("f1", "clara santa", "Santa Clara", {}, 1),
    ("f1", "the a an", "", {}, 1),
    ("f1", "the cat", "cat", {"ignore_articles": False}, 2 / 3),
    ("f1", "U.S.", "us", {}, 1),
    ("f1", "cat cat", "cat", {}, 2 / 3),  # a word counts as often as it stands on both sides
    ("f1", "東京", "東", {}, 2 / 3),
    ("f1", "", "cat", {}, 0),
    ("f1", "cat", "", {}, 0),
    # Lin 2004, section 3.1: the reference and its two candidates
    ("rouge_l", "police kill the gunman", "police killed the gunman", {}, 3 / 4),
    ("rouge_l", "the gunman kill police", "police killed the gunman", {}, 2 / 4),
    ("rouge_l", "the gunman police killed", "police killed the gunman", {}, 2 / 4),
    # the reference tool's own test: precision 1, recall 1/3
    ("rouge_l", "testing", "Testing, one two.", {}, 1 / 2),
    ("rouge_l", "", "", {}, 1),
    ("rouge_l", "", "x", {}, 0),
    ("numeric", "6 + 1,000 = 1,006.0", "1006", {}, 1),
    ("numeric", "6 + 1,000 = 1,006.0", "6", {"which": "first"}, 1),
    ("numeric", "3.14", "3.14159", {}, 0),
    ("numeric", "3.14", "3.14159", {"absolute": 0.01}, 1),
    ("numeric", "3.14", "3.14159", {"relative": 0.001}, 1),
    ("numeric", "50 %", "0.5", {}, 0),
    ("numeric", "50 %", "0.5", {"percent": True}, 1),
    ("numeric", "50 %", "50", {}, 1),
    ("numeric", "−7", "-7", {}, 1),
    ("numeric", "7", "-7", {}, 0),
    ("numeric", "about 6.02e23", "602,000,000,000,000,000,000,000", {}, 1),
    ("numeric", "none", "7", {}, 0),
    ("numeric", "", "7", {}, 0),
]


@pytest.mark.parametrize(("name", "answer", "target", "settings", "wanted"), SCORES)
def test_scores(name, answer, target, settings, wanted):
    assert score(name, answer, target, **settings) == pytest.approx(wanted, abs=1e-12)


def test_every_metric_is_here():
    assert {name for name, *_ in SCORES} == METRICS.keys()
    for name, metric in METRICS.items():
        assert SPECS.validate_python(name) == metric()
        assert metric.model_fields["name"].default == name
        assert metric.title and metric.summary
        for field, info in metric.model_fields.items():
            assert field == "name" or info.description, f"{name}.{field}"


@given(st.sampled_from(sorted(METRICS.keys() - {"regex"})), st.text(), st.text())
def test_a_score_is_between_0_and_1(name, answer, target):
    assert 0 <= score(name, answer, target) <= 1


@given(st.sampled_from(["exact_match", "contains", "f1", "rouge_l"]), st.text())
def test_a_text_is_its_own_best_answer(name, text):
    assert score(name, text, text) == 1


@given(st.sampled_from(["exact_match", "f1", "rouge_l"]), st.text(), st.text())
def test_answer_and_target_may_change_sides(name, one, other):
    assert score(name, one, other) == score(name, other, one)


@given(st.lists(st.sampled_from("abcd")), st.lists(st.sampled_from("abcd")))
def test_order_only_lowers(one, other):
    answer, target = " ".join(one), " ".join(other)
    bag = score("f1", answer, target, ignore_articles=False)
    assert score("rouge_l", answer, target) <= bag + 1e-12


@pytest.mark.parametrize("name", sorted(METRICS.keys() - {"regex"}))
def test_long_answers_are_scored_in_time(name):
    answer, target = "one two 3 " * 10_000, "two 3 four " * 9_000  # 100,000 characters
    start = time.perf_counter()
    assert 0 <= score(name, answer, target) <= 1
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(?R)", r"(?P<n>a|(?&n)a)c", r"(a|aa)+$"])
def test_a_pattern_cannot_hang(pattern, monkeypatch):
    monkeypatch.setattr(metrics, "PATTERN_SECONDS", 0.2)
    start = time.perf_counter()
    with pytest.raises(SlowPattern, match="without nested repeats"):
        score("regex", "a" * 5_000 + "c!", "", pattern=pattern)
    assert time.perf_counter() - start < 10


BAD = ["[a-z", "(", "*a", r"\g<2>", "(" * 999, "(?a)(?u)x", r"\p{Nonsense}", "a{99999999999}"]


@pytest.mark.parametrize("pattern", BAD)
def test_a_bad_pattern_is_refused(pattern):
    with pytest.raises(ValidationError, match=r"no regular expression|too deep"):
        SPECS.validate_python({"name": "regex", "pattern": pattern})
    with pytest.raises(BadTarget):  # as each row's own
        SPECS.validate_python("regex").check(pattern)


@given(st.text("ab()[]{}|*+?.^$\\-:=!<>P&#,1", max_size=20))
def test_any_pattern_is_used_or_refused(pattern):
    try:
        compiled(pattern)
    except ValueError as error:
        assert repr(pattern) in str(error)


def test_targets_are_checked():
    with pytest.raises(BadTarget, match="no number in 'seven'"):
        SPECS.validate_python("numeric").check("seven")
    for name in METRICS:
        SPECS.validate_python(name).check("7")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("rouge", "no metric 'rouge'; did you mean 'rouge_l'?"),
        ({"name": "bleu"}, "no metric 'bleu'; there are: exact_match, contains"),
        ({}, "no metric name; there are"),
        (7, "no metric 7; there are"),
        ({"name": "f1", "beta": 2}, "unknown field 'beta'"),
        ({"name": "numeric", "relative": -1}, "greater than or equal to 0"),
        ({"name": "numeric", "relative": float("nan")}, "finite"),
        ({"name": "regex", "pattern": ""}, "at least 1 character"),
        ({"name": "regex", "pattern": "a" * 1001}, "at most 1000"),
    ],
)
def test_a_bad_metric_is_refused(given, message):
    with pytest.raises(ValidationError, match=message.replace("?", r"\?")):
        SPECS.validate_python(given)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_stored_and_read_again(name):
    metric = SPECS.validate_python(name)
    assert SPECS.validate_json(SPECS.dump_json(metric)) == metric
