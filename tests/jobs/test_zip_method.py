"""ZIP as a method: its transform and space, its cost, and a whole search on the toy model."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.linalg import hadamard as dense_hadamard

from jobs import checkpoint
from jobs.fastfood import Fastfood, hadamard
from jobs.lowrank import LowRank
from jobs.meter import Meter
from jobs.methods import Problem
from jobs.methods.zip import ZIP
from jobs.task import Example, Split, Task
from optimizers.spsa_gc import SPSAGCState
from tests.toy import ToyBackend

TASK = Task("{prompt} {text}", {"b": "blue", "r": "red"})


def rows(split, n):
    return tuple(
        Example({"text": f"{word} {split} {i}"}, word[0])
        for word in ("blue", "red")
        for i in range(n)
    )


SPLIT = Split(rows("train", 5), rows("dev", 3), ())
SMALL = {"n_prompt_tokens": 2, "intrinsic_dim": 8, "rank": 2, "learning_rate": 0.3}


def problem(toy=None, baseline="", seed=1):
    return Problem(toy or ToyBackend(), TASK, SPLIT, baseline, seed)


def search(toy, budget=10**6, **settings):
    meter = Meter(toy, budget)
    return ZIP(**(SMALL | settings)).search(problem(toy), meter), meter


@pytest.mark.parametrize("size", [1, 2, 16])
def test_hadamard(size):
    x = np.random.default_rng(0).normal(size=(3, size))
    assert hadamard(x) == pytest.approx(x @ dense_hadamard(size))


@pytest.mark.parametrize(("n_out", "size"), [(8, 8), (9, 16), (1, 1)])
def test_fastfood_is_the_product_of_its_matrices(n_out, size):
    food = Fastfood(2, n_out, seed=5)
    assert food.size == size
    signs, orders, gains = food._random
    x = np.random.default_rng(1).normal(size=(2, size))
    h = dense_hadamard(size)
    for row in range(2):
        permuted = np.eye(size)[orders[row]]
        dense = h @ np.diag(gains[row]) @ permuted @ h @ np.diag(signs[row])
        assert food(x)[row] == pytest.approx((dense @ x[row])[:n_out])
    narrow = food(x[:, :1])
    assert narrow == pytest.approx(food(np.pad(x[:, :1], ((0, 0), (0, size - 1)))))


def test_fastfood_keeps_lengths_and_each_row_has_its_own():
    food = Fastfood(200, 384, seed=0)
    spread = food(np.ones((200, 62)))
    lengths = np.linalg.norm(spread, axis=1) / np.sqrt(62)
    assert lengths.mean() == pytest.approx(1.0, abs=0.02)
    assert lengths.std() < 0.2
    assert abs(np.corrcoef(spread)[np.triu_indices(200, 1)]).max() < 0.4
    assert not np.isclose(Fastfood(200, 384, seed=1)(np.ones((200, 62))), spread).any(axis=1).all()


def test_417_numbers_at_the_papers_settings():
    start = np.zeros((8, 512), dtype=np.float32)
    toy = ToyBackend(prompt_shape=(1, 512))
    plan = ZIP().plan(problem(toy))
    assert plan.space.dim == len(plan.optimizer.start) == 417
    assert plan.optimizer.longest_gradient == pytest.approx(20.42, abs=0.01)
    assert LowRank(start, 62, 5, 0).decode(np.zeros(417)).vectors.shape == (1, 8, 512)


def test_a_token_is_its_own_direction_and_the_shared_one():
    start = np.random.default_rng(2).normal(size=(3, 8)).astype(np.float32)
    space = LowRank(start, width=4, rank=2, seed=0)
    assert space.first[:8].tolist() == [0.0] * 6 + [1.0] * 2 and not space.first[16:].any()
    assert (space.first[8:16] != 0).all() and (space.first != replace(space, seed=1).first).any()
    assert space.decode(space.first).vectors[0] == pytest.approx(start)
    u, s, v, shared = (np.random.default_rng(i).normal(size=n) for i, n in enumerate((6, 2, 8, 4)))
    w = u.reshape(3, 2) @ np.diag(s) @ v.reshape(4, 2).T + np.ones((3, 1)) * shared
    found = space.decode(np.concatenate([u, s, v, shared])).vectors
    assert found[0] - start == pytest.approx(Fastfood(3, 8, 0)(w), abs=1e-5)
    assert found.dtype == np.float32


def test_where_it_starts():
    words = ToyBackend().embed("a bcd")
    for settings, baseline in (({"initial_text": "a bcd"}, "x"), ({}, "a bcd")):
        plan = ZIP(**(SMALL | settings)).plan(problem(baseline=baseline))
        assert plan.space.decode(plan.optimizer.start).vectors[0] == pytest.approx(words)
    one = ZIP(**SMALL | {"initial_text": "one"}).plan(problem()).space.start
    assert (one == ToyBackend().embed("one")[[0, 0]]).all()
    wide = ZIP().plan(problem(ToyBackend(prompt_shape=(1, 512)))).space.start
    assert wide.std() == pytest.approx(0.02, rel=0.05) and abs(wide.mean()) < 0.002
    other = ZIP().plan(problem(ToyBackend(prompt_shape=(1, 512)), seed=2)).space.start
    assert not np.isclose(wide, other).all()


def test_it_learns():
    run, _ = search(ToyBackend(), budget=8_000)
    generations = list(run.run(run.start()))
    first, last = generations[0], generations[-1]
    assert last.incumbent.dev_loss < 0.5 * first.champion.dev_loss
    assert last.incumbent.dev_accuracy == 1.0
    assert set(last.internals) == {"learning_rate", "sigma", "gradient_norm"}


@pytest.mark.parametrize("settings", [{}, {"batch_size": 4, "steps": 3}, {"n_directions": 1}])
def test_a_generation_costs_what_it_says(settings):
    toy = ToyBackend()
    run, meter = search(toy, **settings)
    most = ZIP(**SMALL | settings).generation_queries(10, 6)
    for generation in run.run(run.start()):
        assert toy.asked == meter.spent == generation.number * most
        if generation.number == 4:
            break


def test_resuming_equals_never_having_stopped():
    run, _ = search(ToyBackend(), budget=2_000, batch_size=4, steps=2)
    straight = list(run.run(run.start()))
    half = straight[len(straight) // 2]
    state = checkpoint.loads(SPSAGCState, checkpoint.dumps(half.state))
    again, _ = search(ToyBackend(), budget=2_000, batch_size=4, steps=2)
    rest = list(again.run(replace(half, state=state)))[: len(straight) - half.number]
    assert [checkpoint.dumps(g.state) for g in rest] == [
        checkpoint.dumps(g.state) for g in straight[half.number :]
    ]
    assert [g.champion for g in rest] == [g.champion for g in straight[half.number :]]


def test_lost_answers_do_not_stop_it():
    random = np.random.default_rng(0)

    def lose_some(queries, scores):
        scores[random.random(len(scores)) < 0.3] = np.nan
        return scores

    run, _ = search(ToyBackend(meddle=lose_some), budget=8_000)
    last = list(run.run(run.start()))[-1]
    assert np.isfinite(last.state.point).all() and last.state.n_steps > 50


def test_settings():
    with pytest.raises(ValidationError, match="a number for each"):
        ZIP(n_prompt_tokens=9, intrinsic_dim=8)
    assert ZIP(**SMALL | {"clip": False}).plan(problem()).optimizer.longest_gradient == 0.0
    gains = ZIP().optimizer(np.zeros(1), 1).gains
    assert (gains.a, gains.c, gains.delay, gains.alpha, gains.gamma) == (0.01, 0.01, 1, 0.4, 0.1)
    paper, fast = (ZIP.with_preset(name) for name in ("paper", "fast"))
    assert paper.generation_queries(1600, 160) == 11 * 128 + 160
    assert fast.generation_queries(1600, 160) < 1_000
