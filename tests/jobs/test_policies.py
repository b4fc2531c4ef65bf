import json

import numpy as np
import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast

from jobs.policies import LENGTH, PolicyUnreadable, embedded, policy_model
from optimizers.soft_q import Learning, Network, Policy

TEXT = [
    f"the {color} cat reads {n} long letters, slowly\n" for color in ("red", "blue") for n in "2345"
]
BEGINNING = "<|endoftext|>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A GPT-2 of two thin layers, and a tokenizer that has read eight sentences."""
    place = tmp_path_factory.mktemp("gpt2")
    learner = ByteLevelBPETokenizer()
    learner.train_from_iterator(TEXT * 4, vocab_size=320, special_tokens=[BEGINNING])
    learner.save(str(place / "plain.json"))
    tokenizer = GPT2TokenizerFast(
        tokenizer_file=str(place / "plain.json"), bos_token=BEGINNING, eos_token=BEGINNING
    )
    tokenizer.save_pretrained(place)
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=32, n_embd=16, n_layer=2, n_head=2)
    GPT2LMHeadModel(config).save_pretrained(place, safe_serialization=True)
    return place


@pytest.fixture(scope="module")
def words():
    return embedded(500)


def test_words_are_whole_and_frequent_ones_come_first(words):
    listed = words.space.words
    assert listed[:5] == ("the", "of", "and", "in", "to")
    assert len(listed) == len(words.lm.head) == 500
    everything = embedded(0)
    assert everything.space.words[:500] == listed
    assert len(everything.space.words) > 20_000
    assert all(word.isalpha() and word.isascii() for word in everything.space.words)
    np.testing.assert_array_equal(everything.lm.head[:500], words.lm.head)


def test_the_head_is_centered_and_of_unit_length():
    head = embedded(0).lm.head
    assert head.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(head, axis=1), 1.0, rtol=1e-5)
    # of vectors with a common part the mean is about that; raw ones have 0.7 here
    assert np.linalg.norm(head.mean(axis=0)) < 0.1


def test_words_read_as_themselves(words):
    place = [words.space.words.index(word) for word in ("time", "and", "life")]
    assert words.space.decode(np.array(place, np.int32)).text == "time and life"


def cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def test_an_embedded_state_tells_what_was_read(words):
    rows = np.array([[3, 7, 9], [9, 7, 3], [3, 7, 8], [3, 7, 9]], np.int32)
    states = words.lm.states(rows)
    assert (states.shape, states.dtype) == ((4, 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(states, axis=1), LENGTH, rtol=1e-5)
    np.testing.assert_array_equal(states[0], states[3])
    assert cosines(states)[0, 1:3].max() < 0.99, "order and the last word both matter"
    assert words.lm.states(np.zeros((1, 50), np.int32)).shape == (1, 384), "the longest"
    same = np.full((1, 4), 5, np.int32)
    by_place = np.concatenate([words.lm.states(same[:, :t]) for t in range(4)])
    assert cosines(by_place)[np.triu_indices(4, 1)].max() < 0.95, "so does the place"


def test_an_embedded_state_wakes_the_network(words):
    """Its length is chosen for this: about a third of the units must pass the negative biases."""
    network = Network.start(384, 2048, np.random.default_rng(0))
    states = words.lm.states(np.arange(40, dtype=np.int32).reshape(10, 4))
    assert 0.25 < (network.inner(states) > 0).mean() < 0.5
    assert (network.inner(states / 10) > 0).mean() < 0.01


def test_a_causal_policy_has_the_models_own_states(folder):
    lm = policy_model(str(folder), 0).lm
    model = AutoModelForCausalLM.from_pretrained(folder)
    rows = np.array([[0, 5, 9], [20, 2, 40]], np.int32)
    for length in range(4):
        read = [[0, *lm.ids[row[:length]].tolist()] for row in rows]
        with torch.no_grad():
            wanted = model(torch.tensor(read), output_hidden_states=True)
        states = lm.states(rows[:, :length])
        np.testing.assert_allclose(states, wanted.hidden_states[-1][:, -1].numpy(), atol=1e-5)
        own = wanted.logits[:, -1].numpy()[:, lm.ids]
        np.testing.assert_allclose(states @ lm.head.T, own, atol=1e-5)


def test_a_causal_policy_offers_what_can_be_printed(folder):
    model = policy_model(str(folder), 0)
    tokenizer = GPT2TokenizerFast.from_pretrained(folder)
    offered = [tokenizer.decode([i]) for i in model.lm.ids]
    assert " cat" in offered
    assert not {BEGINNING, "\n", " ", "\N{REPLACEMENT CHARACTER}"} & set(offered)
    assert len(model.lm.head) == len(offered) < len(tokenizer)
    short = policy_model(str(folder), 50)
    np.testing.assert_array_equal(short.lm.ids, model.lm.ids[:50])


def test_pieces_read_as_the_tokenizer_writes_them(folder):
    model = policy_model(str(folder), 0)
    tokenizer = GPT2TokenizerFast.from_pretrained(folder)
    places = [model.lm.ids.tolist().index(i) for i in tokenizer.encode(" cat reads long letters")]
    assert model.space.decode(np.array(places, np.int32)).text == "cat reads long letters"


def test_a_fluent_causal_policy_writes_what_the_model_expects(folder):
    model = policy_model(str(folder), 0)
    policy = Policy(model.lm, Learning(width=8, fluent=True), seed=0)
    prompts = policy.draw(30, 3, np.random.default_rng(0))
    for length in range(3):
        own = model.lm.states(prompts[:, :length]) @ model.lm.head.T
        rank = (own > own[np.arange(31), prompts[:, length]][:, None]).sum(axis=1)
        assert rank.max() < 20


def test_the_same_folder_gives_the_same_bits(folder):
    rows = np.arange(51, dtype=np.int32).reshape(17, 3)
    one, other = (policy_model(str(folder), 0).lm for _ in range(2))
    assert one.states(rows).tobytes() == other.states(rows).tobytes()


@pytest.mark.parametrize("name", ["distilgpt2", "/", "a\0b", "x" * 5000, "\udc80"])
def test_what_is_no_folder_with_a_model_is_refused(name):
    with pytest.raises(PolicyUnreadable, match="'embedded' or a folder"):
        policy_model(name, 0)


def test_a_folder_that_cannot_be_read_is_refused(folder, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(PolicyUnreadable, match="cannot read the model"):
        policy_model(str(tmp_path), 0)
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(PolicyUnreadable, match="cannot read the model"):
        policy_model(str(tmp_path), 0)


def test_a_pickled_model_is_not_opened(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").unlink()
    weights = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    torch.save(weights, tmp_path / "pytorch_model.bin")
    with pytest.raises(PolicyUnreadable, match="cannot read the model"):
        policy_model(str(tmp_path), 0)


def test_a_tokenizer_without_a_beginning_is_refused(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config |= {"bos_token": None, "eos_token": None, "tokenizer_class": "PreTrainedTokenizerFast"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "special_tokens_map.json").unlink(missing_ok=True)
    with pytest.raises(PolicyUnreadable, match="begins or ends"):
        policy_model(str(tmp_path), 0)
