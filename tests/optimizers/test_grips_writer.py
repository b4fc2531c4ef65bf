"""The search with a writer, on `noisy_words`."""

from jobs import checkpoint
from optimizers.base import Chooses, Writes
from optimizers.grips import GripsState, ParaphrasingGrips
from tests.optimizers.noisy_words import START, make, step, texts

ALL = ("delete", "swap", "add", "paraphrase")


def write(optimizer, state, answer):
    return optimizer.hear(state, [answer(request) for request in optimizer.requests(state)])


def test_only_the_paraphrasing_search_needs_a_writer():
    assert isinstance(make(), Chooses) and not isinstance(make(), Writes)
    assert isinstance(make(ParaphrasingGrips, edits=ALL), Writes)


def test_a_third_of_the_drafts_ask_for_other_words():
    optimizer = make(ParaphrasingGrips, edits=ALL, n_candidates=300)
    asked = optimizer.requests(optimizer.init(0))
    assert 70 < len(asked) < 130, "of delete, swap and paraphrase; nothing to add yet"
    assert all(START in request for request in asked)
    assert len(set(asked)) == 7, "every word is asked for"


def test_a_wording_takes_the_place_of_its_phrase():
    optimizer = make(ParaphrasingGrips, edits=("paraphrase",), n_candidates=3)
    state = write(
        optimizer, optimizer.init(0), lambda request: '"' + request.split("Phrase: ")[1][:4].upper()
    )
    changed = [
        [(old, new) for old, new in zip(START.split(), text.split(), strict=True) if old != new]
        for text in texts(optimizer, state)[1:]
    ]
    assert changed and all(new.strip('"') == old[:4].upper() for [(old, new)] in changed)
    assert step(optimizer, state).heard == ()


def test_empty_answers_leave_the_other_edits():
    optimizer, plain = make(ParaphrasingGrips, edits=ALL), make()
    state = write(optimizer, optimizer.init(0), lambda request: "")
    assert len(texts(optimizer, state)) == 6
    assert all(set(text.split()) <= set(START.split()) for text in texts(optimizer, state))
    assert len(texts(optimizer, optimizer.init(0))) == 6, "a writer that was never asked"
    only = make(ParaphrasingGrips, edits=("paraphrase",))
    assert texts(only, write(only, only.init(0), lambda request: " ")) == [START]
    assert plain.init(0) == optimizer.init(0)


def test_it_learns_with_a_writer_and_resumes_after_its_answers():
    optimizer = make(ParaphrasingGrips, edits=("paraphrase",), n_rows=60)
    state = optimizer.init(0)
    for _ in range(20):
        state = write(optimizer, state, lambda request: "well")
        again = checkpoint.loads(GripsState, checkpoint.dumps(state))
        assert texts(optimizer, again) == texts(optimizer, state)
        state = step(optimizer, state)
    assert "bad" not in state.texts[0]
    assert state.texts[0].split().count("well") == 3
