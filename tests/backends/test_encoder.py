"""The encoder against its oracles: sentence-transformers, and a plain loop over BERT's layers."""

import numpy as np
import pytest
import torch

from backends.base import BackendRefused, Query
from backends.encoder import Encoder, _folder

TEXTS = [
    "film",
    "",
    "An honest, funny and very well acted film; I would gladly see it again tomorrow.",
    "Größe, naïveté, 東京, ελληνικά, emoji 🙂 and a tab\there",
    "the plot goes nowhere " * 90,  # 362 tokens: more than MiniLM reads
]


@torch.inference_mode()
def by_hand(reference, text, soft):
    """A unit vector by one layer after the other, one sequence, no hooks, no packing."""
    model, tokenizer = reference
    ids = torch.tensor(tokenizer(text)["input_ids"])
    words, prompt = model.embeddings.word_embeddings(ids), torch.tensor(soft)
    n_tokens = prompt.shape[1]
    hidden = model.embeddings(inputs_embeds=torch.cat([words[:1], prompt[0], words[1:]])[None])
    for number, layer in enumerate(model.encoder.layer):
        if 1 <= number < len(prompt):
            hidden = hidden.clone()
            hidden[:, 1 : 1 + n_tokens] += prompt[number]
        hidden = layer(hidden)
    mean = hidden[0].mean(dim=0)
    return (mean / mean.norm()).numpy()


def test_without_a_prompt_it_is_sentence_transformers(minilm):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    oracle = sentence_transformers.SentenceTransformer(str(_folder("minilm")), device="cpu")
    wanted = oracle.encode(TEXTS, show_progress_bar=False)
    assert minilm.max_tokens == oracle.max_seq_length == 256
    assert minilm.features([Query(text) for text in TEXTS]) == pytest.approx(wanted, abs=1e-5)


def test_a_score_is_the_scaled_cosine(minilm):
    scores = minilm.score([Query("the striker scored ", "two goals")], ["sport", "cooking"])
    texts = [Query(text) for text in ("the striker scored two goals", "sport", "cooking")]
    asked, *labels = minilm.features(texts)
    assert scores[0] == pytest.approx([20 * asked @ label for label in labels], abs=1e-5)
    assert scores[0, 0] > scores[0, 1]


@pytest.mark.parametrize("words", ["some words", "it is said, that the unbelievable", "!"])
def test_embedded_words_answer_as_the_words_themselves(minilm, words):
    soft = minilm.embed(words)[None]
    texts = [text for text in TEXTS if text]
    written = minilm.score([Query(f"{words} {text}") for text in texts], ["good", "bad"])
    inserted = minilm.score([Query(text, soft=soft) for text in texts], ["good", "bad"])
    assert inserted == pytest.approx(written, abs=1e-5)


@pytest.mark.parametrize("n_layers", [1, 2, 6])
@pytest.mark.parametrize("n_tokens", [1, 50])
def test_prompts_at_every_layer_are_those_of_a_plain_loop(
    minilm, reference, rng, n_layers, n_tokens
):
    softs = 0.1 * rng.standard_normal((3, n_layers, n_tokens, 384)).astype(np.float32)
    texts = TEXTS[:3]
    answers = minilm.features([Query(t, soft=s) for t, s in zip(texts, softs, strict=True)])
    wanted = [by_hand(reference, t, s) for t, s in zip(texts, softs, strict=True)]
    assert answers == pytest.approx(np.array(wanted), abs=1e-5)


def test_prompts_of_unlike_shapes_and_none_share_a_call(minilm, reference, rng):
    shapes = [(1, 3, 384), (6, 2, 384), (2, 0, 384), (4, 3, 384)]
    softs = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    plain = np.zeros((1, 0, 384), np.float32)
    answers = minilm.features([Query("film", soft=soft) for soft in [*softs, None]])
    wanted = [by_hand(reference, "film", soft) for soft in [*softs, plain]]
    assert answers == pytest.approx(np.array(wanted), abs=1e-5)


def test_zero_rows_change_nothing_and_others_do(minilm, rng):
    soft = np.zeros((6, 4, 384), np.float32)
    soft[0] = minilm.embed("is it good now")
    shallow, deep = minilm.features([Query("film", soft=soft[:1]), Query("film", soft=soft)])
    assert deep == pytest.approx(shallow, abs=1e-6)
    for layer in range(1, 6):
        changed = soft.copy()
        changed[layer] = rng.standard_normal((4, 384))
        answer = minilm.features([Query("film", soft=changed)])[0]
        assert np.abs(answer - shallow).max() > 1e-3, layer


def test_a_deep_prompt_leaves_no_trace_in_the_model(minilm):
    before = minilm.features([Query("film")])
    minilm.features([Query("film", soft=np.ones((6, 2, 384), np.float32))])
    assert minilm.features([Query("film")]).tobytes() == before.tobytes()


def test_the_right_end_of_a_long_text_is_cut_and_the_soft_prompt_never(minilm, rng):
    soft = rng.standard_normal((2, 100, 384)).astype(np.float32)
    fits = Query("word " * 154, soft=soft)  # 154 + 100 + [CLS] + [SEP] = 256
    longer = Query("word " * 154 + "other " * 400, soft=soft)
    shorter = Query("word " * 153, soft=soft)
    first, second, third = minilm.features([fits, longer, shorter])
    assert first == pytest.approx(second, abs=1e-6)
    assert np.abs(first - third).max() > 1e-5
    assert minilm.flops([fits]) == minilm.flops([longer]) > minilm.flops([shorter])


@pytest.mark.parametrize(
    "soft, message",
    [
        (np.zeros((1, 2, 768), np.float32), r"\(1, 2, 768\): \(1 to 6, n_tokens, 384\) is wanted"),
        (np.zeros((7, 2, 384), np.float32), r"\(7, 2, 384\): \(1 to 6, n_tokens, 384\) is wanted"),
        (np.zeros((0, 2, 384), np.float32), r"\(0, 2, 384\): \(1 to 6, n_tokens, 384\) is wanted"),
        (np.zeros((2, 384), np.float32), r"\(2, 384\): \(1 to 6, n_tokens, 384\) is wanted"),
        (np.full((1, 2, 384), np.nan, np.float32), "some of its numbers are not finite"),
        (np.full((1, 2, 384), 1e300), "some of its numbers are not finite"),
        (np.zeros((1, 254, 384), np.float32), "at most 253 tokens are wanted"),
    ],
)
def test_a_soft_prompt_it_cannot_read_is_refused(minilm, soft, message):
    with pytest.raises(BackendRefused, match=message):
        minilm.score([Query("film"), Query("film", soft=soft)], ["good"])


def test_the_longest_soft_prompt_is_read(minilm):
    soft = np.zeros((1, 253, 384), np.float32)
    assert np.isfinite(minilm.score([Query(TEXTS[-1], soft=soft)], ["good"])).all()


def test_no_labels_are_refused(minilm):
    with pytest.raises(BackendRefused, match="no labels were given"):
        minilm.score([Query("film")], [])


def test_the_same_list_gives_the_same_bits_whatever_came_between(minilm, rng):
    softs = rng.standard_normal((4, 2, 7, 384)).astype(np.float32)
    queries = [Query(text, soft=soft) for soft in softs for text in TEXTS]
    first = minilm.score(queries, ["a label not asked before", "good"])
    minilm.score([Query("something else")], ["good", "another"])
    assert minilm.score(queries, ["a label not asked before", "good"]).tobytes() == first.tobytes()


def test_embedding_std_is_that_of_all_entries(minilm, reference):
    matrix = reference[0].embeddings.word_embeddings.weight.detach().numpy()
    assert minilm.embedding_std == pytest.approx(matrix.astype(np.float64).std(), rel=1e-5)
    assert minilm.prompt_shape == (6, 384)


def test_embed_gives_one_vector_a_token_without_specials(minilm):
    assert minilm.embed("unbelievable film").shape == (2, 384)
    assert minilm.embed("").shape == (0, 384)
    assert minilm.embed("film").dtype == np.float32


def test_nearest_words_are_whole_words(minilm, rng):
    vectors = np.concatenate([3 * minilm.embed("movie running"), np.zeros((1, 384), np.float32)])
    (first, cosine), (second, _), (_, nothing) = minilm.nearest_words(vectors)
    assert (first, second, nothing) == ("movie", "running", 0.0)
    assert cosine == pytest.approx(1.0, abs=1e-5)
    words, table = minilm._whole_words
    assert table.shape == (len(words), 384)
    assert 20_000 < len(words) < 30_522
    assert not {"[CLS]", "[unused1]", "##ing", "!", "."} & set(words)
    with pytest.raises(BackendRefused, match=r"\(n_tokens, 384\) wanted"):
        minilm.nearest_words(np.zeros((1, 2), np.float32))


def test_bfloat16_is_near(minilm):
    queries = [Query(text) for text in TEXTS]
    near = Encoder(dtype="bfloat16").score(queries, ["good", "bad"])
    assert near == pytest.approx(minilm.score(queries, ["good", "bad"]), abs=0.3)


def test_a_folder_is_read_with_its_own_limits(tiny):
    assert tiny.prompt_shape == (3, 16)
    assert tiny.max_tokens == 24
    ([(word, _)]) = tiny.nearest_words(tiny.embed("good"))
    assert word == "good"


def test_any_number_of_threads_gives_the_same_bits_and_leaves_torch_as_it_was(tiny_folder):
    before = torch.get_num_threads()
    soft = np.full((3, 2, 16), 0.1, np.float32)
    queries = [Query(text, soft=soft if n % 2 else None) for n, text in enumerate(TEXTS * 40)]
    one, three = (Encoder(str(tiny_folder), threads=n) for n in (1, 3))
    assert (one.score(queries, ["good"]) == three.score(queries, ["good"])).all()
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    "option", [{"scale": 0.0}, {"scale": float("nan")}, {"threads": 0}, {"dtype": "float16"}]
)
def test_options_out_of_range_are_refused(tiny_folder, option):
    with pytest.raises(ValueError, match=f"{next(iter(option))} .* is wanted"):
        Encoder(str(tiny_folder), **option)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BackendRefused, match="'minilm' or a folder with a model is wanted"):
        Encoder(str(tmp_path / "nothing"))
