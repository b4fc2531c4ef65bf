"""Real models from the hub, where GRADLESS_TEST_HUB is set: the other tests need no network."""

import os

import pytest

from backends.base import Query
from backends.local.causal import Causal
from backends.local.masked import Masked
from backends.local.seq2seq import Seq2Seq

pytestmark = [
    pytest.mark.hub,
    pytest.mark.slow,
    pytest.mark.skipif(
        "GRADLESS_TEST_HUB" not in os.environ, reason="GRADLESS_TEST_HUB is not set"
    ),
]
REVIEWS = {
    "A moving, wonderfully acted film that I would gladly see again.": "great",
    "A dull, clumsy mess; I left before the end.": "terrible",
}


@pytest.mark.parametrize(
    "kind, model, template",
    [
        (Masked, "distilbert/distilroberta-base", ("{} It was", ".")),
        (Masked, "google-bert/bert-base-uncased", ("{} It was", ".")),
        (Masked, "albert/albert-base-v2", ("{} It was", ".")),
        (Causal, "Qwen/Qwen3-0.6B", ("{} The film was", "")),
        (Causal, "openai-community/gpt2", ("{} The film was", "")),
        (Seq2Seq, "google-t5/t5-small", ("{} It was", ".")),
        (Seq2Seq, "facebook/bart-base", ("{} It was", ".")),
    ],
)
def test_a_good_film_is_told_from_a_bad_one(kind, model, template):
    backend = kind(model, download="yes")
    before, after = template
    queries = [Query(before.replace("{}", text), after) for text in REVIEWS]
    good, bad = backend.score(queries, ["great", "terrible"])
    assert good[0] - good[1] > bad[0] - bad[1]
    assert backend.rank(queries, 3)[0]
