import numpy as np
import pytest
import torch

from optimizers.descent import Moments, adam, clipped, cosine


def test_adam_is_torchs():
    random = np.random.default_rng(0)
    start, gradients = random.normal(size=(3, 4)), random.normal(size=(50, 3, 4))
    weights = torch.nn.Parameter(torch.tensor(start))
    theirs = torch.optim.Adam([weights], lr=0.05)
    mine, moments = start.copy(), Moments.none(start.shape)
    for gradient in gradients:
        weights.grad = torch.tensor(gradient)
        theirs.step()
        moments, step = adam(moments, gradient, 0.05)
        mine = mine + step
    assert mine == pytest.approx(weights.detach().numpy(), abs=1e-12)


def test_the_first_step_is_the_rate_whatever_the_scale():
    _, step = adam(Moments.none((2,)), np.array([1e-3, -1e3]), 0.1)
    assert step == pytest.approx([-0.1, 0.1], rel=1e-4)


def test_clipping_keeps_the_direction():
    long = np.array([3.0, 4.0])
    assert clipped(long, 1.0) == pytest.approx([0.6, 0.8])
    assert clipped(long, 5.0) is long


def test_half_a_cosine():
    assert [cosine(step, 4) for step in (0, 2, 4, 9)] == pytest.approx([1.0, 0.5, 0.0, 0.0])
    assert cosine(1000, 0) == 1.0
