"""Instructions as people write them, and as nobody would: what edits have to cope with."""

import numpy as np
from hypothesis import strategies as st

from optimizers.phrases import cut

SAMPLES = [
    "Classify the sentiment of the movie review as positive or negative.",
    'Task:\n- do x, if (and only if) y is given;\n- else (rarely) say "no".\n',
    "Call print(\"x\") or f(a, b), e.g. {label}? 50% of 'em don't!",
    "文章を読んで、答えを選ぶ。はい、または「いいえ」。",
    "صنّف النص التالي، ثم اختر تسمية واحدة؟",
    "🙂 ok 👩‍👩‍👧 !!! e\u0301 \u202eabc\u202c",
    "one",
    "  two\twords\u00a0 ",
    "word " * 3000,
    "a" * 20_000,
]
WORDS = [
    "the",
    "of",
    "if",
    "Read",
    "mood",
    "don't",
    "f(x)",
    "{text}",
    "🙂",
    "مزاج",
    "語",
    "e.g",
    "7",
]
MARKS = [
    " ",
    " ",
    " ",
    ", ",
    ". ",
    "; ",
    ": ",
    " (",
    ") ",
    '"',
    " - ",
    "\n",
    "\n- ",
    "。",
    "、",
    "! ",
]
WRITTEN = st.lists(st.sampled_from(WORDS + MARKS), max_size=30).map("".join)
TEXTS = st.one_of(st.text(max_size=80), WRITTEN, st.sampled_from(SAMPLES))
LEVELS = ["phrase", "word", "sentence", "span"]
CUTS = st.builds(
    lambda text, level, seed: cut(text, level, np.random.default_rng(seed)),
    TEXTS,
    st.sampled_from(LEVELS),
    st.integers(0, 9),
)
