import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from jobs import prompts
from jobs.prompts import SoftPrompt, TextPrompt

VECTORS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 7)),
    elements=st.floats(width=32),
)


@given(st.text(st.characters(codec="utf-8")))
def test_text_comes_back(text):
    prompt = TextPrompt(text)
    assert prompts.loads(prompts.kind_of(prompt), prompts.dumps(prompt)) == prompt


@given(VECTORS)
def test_vectors_come_back_bit_for_bit(vectors):
    prompt = SoftPrompt(vectors)
    again = prompts.loads(prompts.kind_of(prompt), prompts.dumps(prompt))
    assert isinstance(again, SoftPrompt)
    assert again.vectors.dtype == np.float32 and again.vectors.shape == vectors.shape
    assert again.vectors.tobytes() == vectors.tobytes()


def test_equal_vectors_make_equal_bytes():
    vectors = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    turned = np.asfortranarray(vectors)  # the same numbers, another order in memory
    assert prompts.dumps(SoftPrompt(vectors)) == prompts.dumps(SoftPrompt(turned))
    assert prompts.dumps(SoftPrompt(vectors)) != prompts.dumps(SoftPrompt(vectors + 1))


@pytest.mark.parametrize(
    ("prompt", "kind"), [(TextPrompt(""), "text"), (SoftPrompt(np.zeros((1, 1, 1))), "soft")]
)
def test_kinds(prompt, kind):
    assert prompts.kind_of(prompt) == kind


@given(VECTORS, st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=1), min_size=1))
def test_label_words_come_back(vectors, words):
    prompt = SoftPrompt(vectors, words=tuple(map(tuple, words)))
    again = prompts.loads("soft", prompts.dumps(prompt))
    assert isinstance(again, SoftPrompt)
    assert again.words == prompt.words
    assert again.vectors.tobytes() == vectors.tobytes() and again.visual is None
    assert prompts.loads("soft", prompts.dumps(SoftPrompt(vectors))).words == ()
