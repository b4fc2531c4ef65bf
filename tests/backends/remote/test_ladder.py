"""Each rung asks for what it says, and scores what the model itself would tell."""

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest

from backends.base import BackendRefused, Query
from backends.remote.asking import gap
from backends.remote.backend import open_remote
from backends.remote.facts import Facts
from backends.remote.ladder import Ladder, rungs
from backends.remote.parsing import Position
from backends.remote.rungs.base import floor, together
from backends.remote.rungs.chosen import EPSILON, begins, certain, standard_error
from backends.remote.rungs.graded import Top, WholeLabel, spelled, total
from tests.backends.remote.imitation import VLLM, Quirks, serving
from tests.tiny_llama import tiny_llama

TEXT = "the movie was great . It was"
LABELS = ["great", "terrible"]
EVERY = ("named", "sequence", "top", "choice", "samples", "match")
FACTS = Facts("tiny", "completions", ("completions",), rungs=EVERY, echo=0, logprobs=20)
CHAT = replace(FACTS, route="chat")
LISTED = Position("a", -0.1, (("go", log(0.5)), (" Great", log(0.2)), ("gr", log(0.1))))


@pytest.fixture(scope="module")
def tiny():
    return tiny_llama()


@pytest.fixture(scope="module")
def server(tiny):
    with serving(tiny, replace(VLLM, most=400)) as found:
        yield found


@pytest.fixture
def remote(server):
    """Opens the imitation of vLLM with one rung."""
    opened = []

    def open_(scores, **changes):
        found = replace(FACTS, named=True, choice="structured_outputs", n=16, **changes)
        kept = replace(found, rungs=EVERY if scores == "auto" else (scores,)).to_json()
        opened.append(open_remote("tiny", kept, base_url=server[0], scores=scores))
        return opened[-1]

    yield open_
    for backend in opened:
        backend.close()


@pytest.mark.parametrize(
    "before, parts",
    [
        ("It was", ("It was", " ")),
        ("It was ", ("It was", " ")),
        ("It was  ", ("It was", " ")),
        ("Answer:\n", ("Answer:\n", "")),
        ('Answer: "', ('Answer: "', "")),
        ("Answer: (", ("Answer: (", "")),
        ('He said "no" ', ('He said "no"', " ")),
        ("", ("", "")),
    ],
)
def test_a_label_stands_behind_one_space_where_words_do(before, parts):
    assert gap(before) == parts


@pytest.mark.parametrize("rung", ["named", "sequence", "top"])
def test_log_probabilities_are_the_models_own(rung, remote, tiny):
    wanted = [[tiny.score(TEXT, f" {label}") for label in LABELS]]
    assert remote(rung).score([Query(TEXT)], LABELS) == pytest.approx(np.array(wanted), abs=1e-4)


@pytest.mark.parametrize("rung", ["sequence", "top"])
def test_labels_of_several_tokens_that_share_the_first_are_told_apart(rung, remote, tiny):
    labels = ["great movie", "great film", "great"]
    wanted = [tiny.score(TEXT, f" {label}") for label in labels]
    found = remote(rung, logprobs=400).score([Query(TEXT)], labels)[0]
    assert found == pytest.approx(wanted, abs=1e-4)


def test_a_request_asks_by_name_and_biases_nothing(remote, server):
    server[1].asked.clear()
    remote("named").score([Query(TEXT)], LABELS)
    [asked] = [body for body in server[1].asked if "logprob_token_ids" in body]
    assert len(asked["logprob_token_ids"]) == 2
    assert asked["max_tokens"] == 1
    assert not any("logit_bias" in body for body in server[1].asked)


def test_a_label_of_two_tokens_goes_down_one_rung_and_stays_there(remote):
    backend = remote("auto")
    assert backend.rung == "named"
    backend.score([Query(TEXT)], ["great", "great movie"])
    assert backend.rung == "sequence"
    backend.score([Query(TEXT)], LABELS)
    assert backend.rung == "named"


def test_a_text_after_the_label_is_read_by_an_echo_alone(remote, tiny):
    backend = remote("auto")
    found = backend.score([Query("It was", " movie")], LABELS)[0]
    assert backend.rung == "sequence"
    wanted = [tiny.score("It was", f" {label} movie") for label in LABELS]
    assert found == pytest.approx(wanted, abs=1e-4)
    with pytest.raises(BackendRefused, match="a text after the label"):
        remote("top").score([Query("It was", " movie")], LABELS)


def test_a_label_that_shares_a_token_with_the_text_is_compared_as_a_whole():
    tokens = [Position("mov", None), Position("ies", -2.0)]
    assert spelled(tokens, "es") is None
    asking = WholeLabel(FACTS).asks(Query("x\nmov\n"), ["es"])
    assert len(next(asking)) == 1
    assert len(asking.send([tokens])) == 1  # the text alone is asked for too
    with pytest.raises(StopIteration) as end:
        asking.send([[Position("mov", None), Position("i", -0.5)]])
    assert end.value.value == [pytest.approx(-2.0 + 0.5)]
    assert total(tokens) == -2.0


def test_a_token_that_is_not_listed_is_never_above_one_that_is():
    assert floor(LISTED) == pytest.approx(log(0.1))
    assert floor(Position("a", -0.1, (("a", log(0.99)),))) == pytest.approx(log(0.01))
    assert floor(Position("a", 0.0, (("a", 0.0),))) < -20


def test_chat_knows_a_label_by_how_it_begins():
    asking = Top(CHAT).asks(Query("How was it?"), ["great", "good", "bad"])
    next(asking)
    with pytest.raises(StopIteration) as end:
        asking.send([LISTED])
    found = np.exp(end.value.value)
    assert found == pytest.approx([0.2 + 0.1, 0.5, 0.1])  # Great and gr; go; the floor


def test_chat_refuses_labels_that_begin_alike():
    assert "same word" in str(Top(CHAT).refuses([], ["class A", "Class B"]))
    assert Top(CHAT).refuses([], ["good", "great"]) is None
    assert Top(FACTS).refuses([], ["class A", "class B"]) is None


@pytest.mark.parametrize(
    "answer, label",
    [
        (" great.", 0),
        ("GREAT", 0),
        ('"great" is my answer', 0),
        ("**terrible**", 1),
        ("not great", None),
        ("greatly", None),
        ("great fun", 2),
        ("", None),
    ],
)
def test_an_answer_is_the_longest_label_that_it_begins_with(answer, label):
    assert begins(answer, ["great", "terrible", "great fun"]) == label


def test_one_or_none_is_finite():
    assert certain("great", LABELS) == [log(1 - EPSILON), log(EPSILON)]
    assert certain("maybe", LABELS) == [log(EPSILON)] * 2


def test_the_choice_is_the_servers(remote):
    assert remote("choice").score([Query(TEXT)], LABELS).argmax() == 1  # it takes the last


def test_samples_count_what_is_drawn(remote, tiny):
    many = 400
    backend = remote("samples")
    backend._ladder.rungs[0] = replace(backend._ladder.rungs[0], draws=many)
    backend.samples = many
    found = backend.score([Query("a movie . It was")], LABELS)
    errors = backend.standard_error(found)
    wanted = [tiny.score("a movie . It was", f" {label}") for label in LABELS]
    assert np.exp(found).sum() == pytest.approx(1, abs=0.02)
    assert found[0, 0] == pytest.approx(wanted[0], abs=4 * errors[0, 0])


def test_the_error_of_samples_is_that_of_a_dirichlet_posterior():
    rng = np.random.default_rng(0)
    counts = np.array([12, 3, 1])  # of 16 draws: two labels and something else
    drawn = rng.dirichlet(counts + 1, size=200_000)
    scores = np.log((counts[:2] + 1) / 19)[None]
    assert np.exp(scores) * standard_error(scores, 16) == pytest.approx(
        drawn.std(axis=0)[None, :2], rel=0.02
    )


def test_all_that_is_to_be_asked_in_a_round_is_asked_at_once():
    sizes = []

    def asking(n_rounds):
        told = 0.0
        for _ in range(n_rounds):
            [told] = yield [told + 1]
        return [told]

    def send(requests):
        sizes.append(len(requests))
        return list(requests)

    assert together([asking(n) for n in (2, 0, 3)], send) == [[2.0], [0.0], [3.0]]
    assert sizes == [2, 2, 1]


def test_no_rung_says_why_not_rung_by_rung():
    only = replace(CHAT, rungs=("top", "match"))
    ladder = Ladder(rungs(only, lambda text: [], 4), lambda requests: [])
    with pytest.raises(BackendRefused, match=r"top: two of the labels.*match: a text after"):
        ladder.score([Query("x", "y")], ["class A", "class B"])
    with pytest.raises(BackendRefused, match="no labels"):
        ladder.score([Query("x")], [])


def test_servers_that_heat_their_probabilities_are_asked_at_one(tiny):
    from backends.remote.probe import probe

    with serving(tiny, Quirks(hot=True)) as (url, _):
        facts = probe("tiny", base_url=url)
        assert facts["score_temperature"] == 1.0
        backend = open_remote("tiny", facts, base_url=url)
        found = backend.score([Query(TEXT)], LABELS)[0]
        backend.close()
    assert exp(found[0]) == pytest.approx(exp(tiny.score(TEXT, " great")), abs=1e-4)
