"""Sub-networks of every family: as hooks by hand, behind shared prefixes, and when they write."""

from contextlib import contextmanager
from itertools import count

import numpy as np
import pytest
import torch

from backends.base import BackendRefused, Query, Subnetwork
from backends.local.causal import Causal
from tests.backends.local import by_hand, tiny
from tests.backends.local.test_prefix import asked, counted, population, softs_of  # noqa: F401
from tests.backends.local.test_soft import LABELS, LAYERS, by_hooks

PARTS = [None, Subnetwork(0, 0.2), Subnetwork(5, 0.2)]
FAMILIES = [*tiny.MASKED, *tiny.CAUSAL, *tiny.SEQ2SEQ]
BERT = ["attention.output.dense", "output.dense"]
LLAMA = ["self_attn.o_proj", "mlp.down_proj"]
MAPS = {
    **dict.fromkeys(["bert", "electra", "roberta"], BERT),
    "distilbert": ["attention.out_lin", "ffn.lin2"],
    "albert": ["albert_layers.0.attention.dense", "albert_layers.0.ffn_output"],
    "gpt2": ["attn.c_proj", "mlp.c_proj"],
    "opt": ["self_attn.out_proj", "fc2"],
    **dict.fromkeys(["llama", "qwen2", "qwen3", "mistral"], LLAMA),
    "t5": ["layer.0.SelfAttention.o", "layer.1.DenseReluDense.wo"],
    "bart": ["self_attn.out_proj", "fc2"],
}
DECODERS = {
    "t5": (
        "decoder.block",
        ["layer.0.SelfAttention.o", "layer.1.EncDecAttention.o", "layer.2.DenseReluDense.wo"],
    ),
    "bart": ("model.decoder.layers", ["self_attn.out_proj", "encoder_attn.out_proj", "fc2"]),
}


@contextmanager
def masked_by_hand(family, plain, network):
    """The plain model with what its maps give multiplied, map after map as they run."""
    model = plain(family)[0]
    stacks = [(LAYERS.get(family, "model.layers"), MAPS[family])]
    stacks += [DECODERS[family]] if family in DECODERS else []
    hooks = []
    for stack, (path, names) in enumerate(stacks if network is not None else ()):
        layers = model.get_submodule(path)
        n_run = len(names) * (3 if family == "albert" else len(layers))
        mask = mask_in_turn(network, stack, n_run)
        for layer in layers:
            hooks += [layer.get_submodule(name).register_forward_hook(mask) for name in names]
    yield
    for hook in hooks:
        hook.remove()


def mask_in_turn(network, stack, n_run):
    passed = count()

    def mask(module, args, output):
        drawn = np.random.default_rng((network.seed, stack, next(passed) % n_run)).random(
            output.shape[-1]
        )
        return output * torch.tensor((drawn >= network.rate) / (1 - network.rate)).to(output)

    return mask


def thinned(queries, networks=PARTS):
    return [Query(q.before, q.after, q.soft, subnetwork=one) for one in networks for q in queries]


@pytest.mark.parametrize("family", FAMILIES)
def test_as_hooks_by_hand_with_prompts_at_every_layer(opened, plain, family):
    assert opened(family).has_subnetworks
    rng = np.random.default_rng(0)
    words = "good or bad film"
    soft = rng.normal(size=(3, *opened(family).embed(words).shape)).astype(np.float32)
    soft[0] = opened(family).embed(words)
    texts = [" it was", " the story was very dull and it was"]
    after = "" if family in tiny.CAUSAL else " , and so on ."
    found = opened(family).score(thinned([Query(text, after, soft) for text in texts]), LABELS)
    wanted = []
    for network in PARTS:
        with masked_by_hand(family, plain, network):
            wanted += [by_hooks(family, plain, words, soft, text) for text in texts]
    assert found == pytest.approx(np.array(wanted), abs=1e-4)
    assert len(np.unique(found.round(4), axis=0)) == len(found)


@pytest.mark.parametrize("family", tiny.CAUSAL)
def test_a_prefix_is_shared_within_a_network_alone(opened, family, monkeypatch):
    backend = opened(family)
    queries = thinned(asked(softs_of(np.random.default_rng(0), 1, 3, 2)))
    shared = backend.score(queries, LABELS)
    monkeypatch.setattr(backend._prefixes, "shares", False)
    assert shared == pytest.approx(backend.score(queries, LABELS), abs=1e-4)


def test_each_network_reads_a_prefix_once(counted):  # noqa: F811
    backend, read = counted("llama")
    soft = softs_of(np.random.default_rng(1), 3)[0]
    backend.score(thinned([Query("it was", "", soft)] * 2), ["great"])
    assert read[0] == [(3, 27), (6, len(backend._words.ids("it was")))]


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_layers_are_shared_within_a_network_alone(counted, layer):  # noqa: F811
    backend, read = counted("bert")
    queries = thinned(population(np.random.default_rng(6), layer), PARTS[:2])
    queries = queries[:-8]  # the last network has fewer prompts
    found = backend.score(queries, ["great"])
    rows = [sum(n for n, _ in sizes) for sizes in read]
    shared = len({(query.before, query.subnetwork) for query in queries})
    assert rows == [len(queries) if number >= layer else shared for number in range(3)]
    alone = np.concatenate([backend.score([query], ["great"]) for query in queries])
    assert found == pytest.approx(alone, abs=1e-4)
    assert len(np.unique(found.round(5))) == len(queries)


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_the_whole_model_is_itself_in_any_company(opened, family):
    queries = [Query(text) for text in ("it was", "the film was very good and it was")]
    before = opened(family).score(queries, LABELS)
    together = opened(family).score(thinned(queries), LABELS)
    assert together[:2] == pytest.approx(before, abs=1e-5)
    assert opened(family).score(queries, LABELS).tobytes() == before.tobytes()


def test_threads_do_not_show_in_the_bits(folder_of):
    queries = thinned(asked(softs_of(np.random.default_rng(3), *[2] * 12)))
    one, three = (Causal(folder_of("llama"), threads=n) for n in (1, 3))
    assert one.score(queries, LABELS).tobytes() == three.score(queries, LABELS).tobytes()


@pytest.mark.parametrize("family", ["gpt2", "llama", "t5", "bart"])
def test_it_writes_token_after_token_as_it_would_alone(opened, plain, family):
    """Greedy, by forwards of the whole text, the same masks in each."""
    text, most = "the movie was", 5
    said = opened(family).generate(thinned([Query(text)]), max_tokens=most)
    for found, network in zip(said, PARTS, strict=True):
        with masked_by_hand(family, plain, network):
            written = written_by_hand(family, plain, text, most)
        assert found == plain(family)[1].decode(written, skip_special_tokens=True).strip()
    assert len(set(said)) > 1


def written_by_hand(family, plain, text, most):
    model, tokenizer = plain(family)
    ends = {tokenizer.eos_token_id}
    if family in tiny.CAUSAL:
        return by_hand.greedy(model, tokenizer(text)["input_ids"], ends, most)
    start, ids = model.config.decoder_start_token_id, by_hand.cut(tokenizer, text)
    if family == "t5":
        gap, other = tokenizer.convert_tokens_to_ids(["<extra_id_0>", "<extra_id_1>"])
        read, said = [*ids, gap, tokenizer.eos_token_id], [start, gap]
        ends.add(other)
    else:
        ids = [tokenizer.bos_token_id, *ids]
        read, said = [*ids, tokenizer.mask_token_id, tokenizer.eos_token_id], [start, *ids]
    return by_hand.greedy(model, said, ends, most, input_ids=read)


def test_a_model_of_unknown_layers_refuses(opened, monkeypatch):
    monkeypatch.setattr(opened("bert")._reader.maps, "known", False)
    with pytest.raises(BackendRefused, match="it has no sub-networks"):
        opened("bert").score(thinned([Query("it was")]), LABELS)
    assert opened("bert").score([Query("it was")], LABELS).shape == (1, 2)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("family", tiny.SEQ2SEQ)
def test_what_the_layers_of_an_encoder_read(opened, plain, family, padded):
    """Against transformers' hidden states of the encoder, the gap shown as it is in scores."""
    model, tokenizer = plain(family)
    gap = tokenizer.mask_token_id or tokenizer.convert_tokens_to_ids("<extra_id_0>")
    texts = ["it was", "the story was very dull and it was"]
    begin = [] if family == "t5" else [tokenizer.bos_token_id]
    ids = [[*begin, *by_hand.cut(tokenizer, text), gap, tokenizer.eos_token_id] for text in texts]
    width = max(map(len, ids))
    tokens = torch.tensor([one + [0] * (width - len(one)) for one in ids])  # what padding reads
    real = torch.tensor([[1] * len(one) + [0] * (width - len(one)) for one in ids])
    with torch.inference_mode():
        states = model.get_encoder()(tokens, attention_mask=real, output_hidden_states=True)
    read = opened(family).hidden([Query(text) for text in texts], padded=padded)
    assert len(read) == 2
    for layer, found in enumerate(read, start=1):
        wanted = states.hidden_states[layer][real.bool() | padded].numpy()
        assert found == pytest.approx(wanted, abs=1e-4)
