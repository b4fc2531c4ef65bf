import copy

import numpy as np
import pytest
import torch
from torch import nn

from optimizers.soft_q import FLUENT, Learning, Network, Policy, path_losses
from tests.optimizers.toy_lm import toy_lm

WIDE = {"width": 7}  # a hidden layer small enough for the eye
VARIANTS = [{}, {"relative": True}, {"fluent": True}, {"fluent": True, "relative": True}]
each_variant = pytest.mark.parametrize("variant", VARIANTS, ids=str)


def policy(dtype=np.float32, **learning):
    return Policy(toy_lm(dtype=dtype), Learning(**(WIDE | learning)), seed=3)


def spread(numbers, seed, dtype=np.float64):
    """Numbers of a network that is far from its start, and whose units are active in part."""
    return np.random.default_rng(seed).standard_normal(numbers.size).astype(dtype) * 0.2


def some_prompts(seed=0, n=6, length=4):
    random = np.random.default_rng(seed)
    return random.integers(0, 60, (n, length)).astype(np.int32), random.normal(0, 5, n)


def test_the_losses_are_those_of_the_paper():
    random = np.random.default_rng(0)
    advantages, targets = random.normal(size=(5, 3)), random.normal(size=(5, 3))
    rewards = random.normal(size=5)
    total = 0.0
    for a, v, r in zip(advantages, targets, rewards, strict=True):
        for t in range(3):
            after = v[t + 1] - v[t] if t < 2 else r - v[t]
            total += 0.5 * (a[t] - after) ** 2
            total += 0.5 * (sum(a[i] for i in range(t, 3)) - (r - v[t])) ** 2
    assert path_losses(advantages, targets, rewards)[0] == pytest.approx(total / 5, rel=1e-12)


def test_one_word_by_hand():
    """A = -1, V' = 2, r = 4: both errors are -1 - (4 - 2) = -3."""
    loss, slopes = path_losses(np.array([[-1.0]]), np.array([[2.0]]), np.array([4.0]))
    assert (loss, slopes.tolist()) == (9.0, [[-6.0]])


class Reference:
    """The same policy in torch, with its own losses, its optimizer and its clipping."""

    def __init__(self, mine, rate=5e-5):
        self.lm, self.learning = mine._lm, mine._learning
        self.head = torch.tensor(self.lm.head, dtype=torch.float64)
        self.net, self.target = self._net(mine.network), self._net(mine.target)
        self.adam = torch.optim.Adam(self.net.parameters(), lr=rate)

    def _net(self, network):
        first, second = nn.Linear(*network.w1.shape), nn.Linear(*network.w2.shape)
        for layer, w, b in ((first, network.w1, network.b1), (second, network.w2, network.b2)):
            layer.weight.data, layer.bias.data = torch.tensor(w.T), torch.tensor(b)
        return nn.Sequential(first, nn.ReLU(), second).double()

    def values(self, net, states):
        values = net(states) @ self.head.T
        if self.learning.fluent:
            own = states @ self.head.T
            values = values.masked_fill(own < own.topk(FLUENT).values[..., -1:], -torch.inf)
        return values

    def loss(self, tokens, rewards):
        states = [self.lm.states(tokens[:, :t]) for t in range(tokens.shape[1])]
        states = torch.tensor(np.stack(states, axis=1), dtype=torch.float64)
        choices = FLUENT if self.learning.fluent else len(self.head)
        less = np.log(choices) if self.learning.relative else 0.0
        values, rewards = self.values(self.net, states), torch.tensor(rewards)
        v = values.logsumexp(-1) - less
        a = values.gather(-1, torch.tensor(tokens.astype(int))[..., None])[..., 0] - v
        with torch.no_grad():
            target = self.values(self.target, states).logsumexp(-1) - less
        nexts = torch.cat([target[:, 1:], rewards[:, None]], dim=1)
        step = (a - (nexts - target)) ** 2
        left = a.flip(1).cumsum(1).flip(1)
        return ((step + (left - (rewards[:, None] - target)) ** 2) / 2).sum(1).mean()

    def learn(self, tokens, rewards):
        with torch.no_grad():
            for old, new in zip(self.target.parameters(), self.net.parameters(), strict=True):
                old += self.learning.tau * (new - old)
        self.adam.zero_grad()
        self.loss(tokens, rewards).backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), self.learning.clip)
        self.adam.step()

    def flat(self, read):
        """Numbers or slopes, in the order of `Network`."""
        return np.concatenate([read(p).numpy().T.ravel() for p in self.net.parameters()])


def plausible(mine, tokens):
    """The tokens with words of no chance replaced by the likeliest: a fluent policy draws none."""
    tokens = tokens.copy()
    for t in range(tokens.shape[1]):
        states = mine._lm.states(tokens[:, :t])
        values = mine._values(mine.network.outer(mine.network.inner(states)), states)
        lost = np.isinf(values[np.arange(len(tokens)), tokens[:, t]])
        tokens[lost, t] = values.argmax(axis=1)[lost]
    return tokens


@each_variant
def test_the_gradient_is_that_of_autograd(variant):
    mine = policy(np.float64, **variant)
    mine.network = Network(spread(mine.network.numbers, 1), 12)
    mine.target = Network(spread(mine.network.numbers, 2), 12)
    tokens, rewards = some_prompts()
    tokens = plausible(mine, tokens)
    other = Reference(mine)
    wanted = other.loss(tokens, rewards)
    wanted.backward()
    loss, gradient = mine.loss(tokens, rewards)
    assert loss == pytest.approx(wanted.item(), rel=1e-12)
    np.testing.assert_allclose(gradient, other.flat(lambda p: p.grad), rtol=1e-9, atol=1e-12)
    assert np.abs(gradient).max() > 0.1


def test_steps_are_those_of_torch():
    mine = policy(learning_rate=1e-2, tau=0.3)
    mine.network.numbers[:] = spread(mine.network.numbers, 1, np.float32)
    mine.target.numbers[:] = spread(mine.network.numbers, 2, np.float32)
    other = Reference(mine, rate=1e-2)
    start = mine.network.numbers.copy()
    for seed in range(5):
        tokens, rewards = some_prompts(seed)
        mine.learn(tokens, rewards)
        other.learn(tokens, rewards)
    moved = other.flat(lambda p: p.detach()) - start
    np.testing.assert_allclose(mine.network.numbers - start, moved, atol=2e-4)
    assert np.abs(moved).max() > 0.04


def test_it_starts_as_the_released_code_does():
    network = Network.start(768, 2048, np.random.default_rng(0))
    bound = 1e-4 * np.sqrt(6 / (768 + 2048))
    for weights in (network.w1, network.w2):
        assert np.abs(weights).max() == pytest.approx(bound, rel=1e-3)
        assert weights.std() == pytest.approx(bound / np.sqrt(3), rel=1e-2)
    assert {*network.b1.tolist(), *network.b2.tolist()} == {float(np.float32(-1e-4))}
    assert (network.w1.shape, network.w2.shape) == ((768, 2048), (2048, 768))


def test_a_step_out_of_range_is_not_taken():
    mine = policy()
    before = mine.network.numbers.copy()
    with np.errstate(over="ignore", invalid="ignore"):
        mine.learn(some_prompts()[0], np.full(6, 1e300))
    np.testing.assert_array_equal(mine.network.numbers, before)


def drawn_first_words(mine, n=6000):
    return mine.draw(n, 1, np.random.default_rng(5))[:, 0]


def chances(mine):
    states = mine._lm.states(np.empty((1, 0), np.int32))
    values = mine._values(mine.network.outer(mine.network.inner(states)), states)[0]
    powers = np.exp(values.astype(float) - values.max())
    return powers / powers.sum()


@pytest.mark.parametrize("top_k", [1, 5, 1000])
def test_draws_follow_the_chances_of_the_likeliest_words(top_k):
    mine = policy(top_k=top_k)
    mine.network.numbers[:] = 0.4 * spread(mine.network.numbers, 1, np.float32)
    wanted = chances(mine)
    wanted[np.argsort(wanted)[:-top_k]] = 0.0
    words = drawn_first_words(mine)
    share = np.bincount(words[:-1], minlength=60) / (len(words) - 1)
    assert set(np.flatnonzero(share)) <= set(np.flatnonzero(wanted))
    # five standard deviations of a share at most: once in a hundred thousand with 60 words
    assert np.abs(share - wanted / wanted.sum()).max() < 5 * 0.5 / np.sqrt(len(words))


def test_the_last_prompt_is_greedy():
    mine = policy()
    mine.network.numbers[:] = spread(mine.network.numbers, 1, np.float32)
    tokens = mine.draw(8, 4, np.random.default_rng(0))
    assert (tokens.shape, tokens.dtype) == ((9, 4), np.int32)
    other = mine.draw(8, 4, np.random.default_rng(1))
    np.testing.assert_array_equal(tokens[-1], other[-1])
    assert (tokens[:-1] != other[:-1]).any()
    assert tokens[-1, 0] == chances(mine).argmax()


def test_a_fluent_policy_keeps_to_the_models_likeliest_words():
    mine = policy(fluent=True)
    state = mine._lm.states(np.empty((1, 0), np.int32))
    own = np.argsort((state @ mine._lm.head.T)[0])[-FLUENT:]
    assert set(drawn_first_words(mine)) == set(own.tolist())
    assert set(drawn_first_words(policy())) > set(own.tolist())


@pytest.mark.parametrize("relative", [False, True])
def test_from_relative_values_only_the_rewards_push(relative):
    """At the start the paper's values are log 60 too low for each word to come."""
    mine = policy(relative=relative)
    loss, _ = mine.loss(some_prompts()[0], np.zeros(6))
    wanted = 0.0 if relative else 0.5 * np.log(60) ** 2 * (3 + 3**2 + 2**2 + 1)
    assert loss == pytest.approx(wanted, abs=1e-3)


def test_learning_changes_nothing_it_was_given():
    mine = policy()
    tokens, rewards = some_prompts()
    given = copy.deepcopy((tokens, rewards))
    mine.learn(tokens, rewards)
    np.testing.assert_array_equal(tokens, given[0])
    np.testing.assert_array_equal(rewards, given[1])
