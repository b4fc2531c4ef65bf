"""The kind "openai" keeps what every backend promises, over real HTTP."""

import math
from collections import Counter

import numpy as np
import pytest

from backends.base import (
    Backend,
    BackendRefused,
    Billed,
    Generates,
    Query,
    RanksVocabulary,
    TakesSoftPrompts,
    Usage,
)
from backends.registry import open_backend
from backends.remote.backend import Remote, open_remote
from backends.remote.probe import probe
from tests.backends.remote.imitation import LLAMA_CPP_PYTHON, serving
from tests.model_servers import llama_server
from tests.tiny_llama import tiny_llama

QUERIES = [Query("the movie was great . It was"), Query("a dull plot . It was ")]
LABELS = ["great", "terrible"]
KEY = "sk-planted-51c0"
VARIABLE = "GRADLESS_TEST_KEY"


class Ledger:
    """An account that remembers, and counts."""

    def __init__(self):
        self.answers, self.spent, self.reserved = {}, Usage(), Counter()

    def recall(self, keys):
        return {key: self.answers[key] for key in keys if key in self.answers}

    def reserve(self, most):
        self.reserved["open"] += 1

    def settle(self, reserved, spent, answer=None):
        self.reserved["open"] -= 1
        self.spent += spent
        assert spent.tokens_in <= reserved.tokens_in
        assert spent.tokens_out <= reserved.tokens_out
        self.answers |= dict([answer] if answer else [])


@pytest.fixture(scope="module")
def server():
    with llama_server(tiny_llama()) as found:
        yield found


@pytest.fixture(scope="module")
def facts(server):
    return probe(server.model, base_url=server.base_url)


@pytest.fixture
def open_(server, facts):
    opened = []

    def open_with(**options):
        opened.append(open_remote(server.model, facts, base_url=server.base_url, **options))
        return opened[-1]

    yield open_with
    for backend in opened:
        backend.close()


def test_it_is_opened_by_its_kind(server, facts):
    backend = open_backend("openai", server.model, facts, base_url=server.base_url)
    assert backend.score(QUERIES, LABELS).argmax(axis=1).tolist() == [0, 1]
    backend.close()


def test_without_facts_it_asks_itself(server):
    backend = open_remote(server.model, base_url=server.base_url)
    assert backend.rung == "top"
    backend.close()


def test_it_has_the_powers_that_were_found(open_):
    backend = open_()
    for protocol in (Backend, Generates, RanksVocabulary, Billed):
        assert isinstance(backend, protocol)
    assert not isinstance(backend, TakesSoftPrompts)


@pytest.mark.parametrize("rung", ["top", "choice", "samples", "match"])
def test_scores_are_finite_float64_of_the_promised_shape(rung, open_):
    backend = open_(scores=rung)
    for queries in (QUERIES, []):
        scores = backend.score(queries, LABELS)
        assert scores.dtype == np.float64
        assert scores.shape == (len(queries), 2)
        assert np.isfinite(scores).all()
    assert backend.rung == rung


def test_order_and_company_do_not_matter(open_):
    backend = open_()
    together = backend.score(QUERIES * 3, LABELS)
    assert backend.score(QUERIES[::-1], LABELS) == pytest.approx(together[1::-1], abs=1e-5)
    assert backend.score(QUERIES[:1], LABELS[:1]) == pytest.approx(together[:1, :1], abs=1e-5)


def test_it_writes(open_):
    backend = open_()
    assert backend.generate(QUERIES, max_tokens=4) == LABELS
    options = {"max_tokens": 8, "temperature": 1.0, "samples": range(9)}
    drawn = backend.generate([Query("the")] * 9, **options)
    assert len(set(drawn)) > 1
    assert backend.generate([Query("the")] * 9, **options) == drawn  # the number is the seed


def test_the_whole_vocabulary_sums_to_one(open_):
    [words] = open_().rank(QUERIES[:1], 100_000)
    assert sum(map(math.exp, words.values())) == pytest.approx(1, abs=1e-5)
    assert max(words, key=words.__getitem__) == "great"


def test_so_many_words_are_ranked_as_asked_for(open_):
    [words] = open_().rank(QUERIES[:1], 3)
    assert len(words) == 3
    assert next(iter(words)) == "great"


def test_what_cannot_be_asked_is_refused(open_):
    backend = open_()
    soft = np.zeros((1, 2, 4), np.float32)
    with pytest.raises(BackendRefused, match="soft prompts need"):
        backend.score([Query("a", soft=soft)], LABELS)
    with pytest.raises(BackendRefused, match="a text after the label"):
        backend.generate([Query("a", " b")], max_tokens=1)
    with pytest.raises(BackendRefused, match="a completion needs a text"):
        backend.score([Query("")], LABELS)
    with pytest.raises(BackendRefused, match=r"scores='named' does not work: .*/tokenize"):
        open_(scores="named")
    with pytest.raises(BackendRefused, match="probe again"):
        open_(route="chat")


def test_requests_are_paid_for_once_and_remembered(open_):
    backend, ledger = open_(), Ledger()
    backend.bill_to(ledger)
    first = backend.score(QUERIES, LABELS)
    spent = ledger.spent
    assert spent.requests == len(QUERIES)
    assert spent.tokens_out == len(QUERIES)
    assert backend.score(QUERIES, LABELS).tobytes() == first.tobytes()
    assert ledger.spent == spent
    assert ledger.reserved["open"] == 0


@pytest.mark.parametrize("rung", ["choice", "samples", "match"])
def test_no_request_costs_more_than_was_set_aside(rung, open_):
    backend, ledger = open_(scores=rung), Ledger()
    backend.bill_to(ledger)
    backend.score([Query("💥 ünïcödé\n\n\n. It was"), *QUERIES], LABELS)  # settle asserts it
    assert ledger.spent.requests >= 3


def test_draws_have_an_error_and_the_rest_has_none(open_):
    sampled, top = open_(scores="samples"), open_()
    scores = sampled.score(QUERIES, LABELS)
    assert (sampled.standard_error(scores) > 0.05).all()
    assert (top.standard_error(top.score(QUERIES, LABELS)) == 0).all()


def test_the_key_is_sent_and_not_shown(monkeypatch):
    monkeypatch.setenv(VARIABLE, KEY)
    with llama_server(tiny_llama(), KEY) as server:
        options = {"base_url": server.base_url, "key_variable": VARIABLE}
        backend = open_remote(server.model, **options)
        assert backend.score(QUERIES, LABELS).argmax(axis=1).tolist() == [0, 1]
        assert KEY not in repr(backend) + repr(vars(backend))
        backend.close()
        monkeypatch.setenv(VARIABLE, "sk-other-key")
        with pytest.raises(BackendRefused, match=f"refuses the key .* {VARIABLE}"):
            open_remote(server.model, **options)
        monkeypatch.delenv(VARIABLE)
        with pytest.raises(BackendRefused, match=f"variable {VARIABLE} is not set"):
            open_remote(server.model, **options)


def test_draws_one_by_one_where_n_is_ignored():
    with serving(tiny_llama(), LLAMA_CPP_PYTHON) as (url, app):
        backend = open_remote("tiny", base_url=url, scores="samples", samples=5)
        app.asked.clear()
        backend.score(QUERIES[:1], LABELS)
        backend.close()
    assert len(app.asked) == 5
    assert len({body["seed"] for body in app.asked}) == 5
    assert isinstance(backend, Remote)
