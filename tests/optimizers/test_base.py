"""The two functions that optimizers share."""

import numpy as np

from optimizers.base import mean_losses, noise


def test_noise_is_a_function_of_seed_and_generation():
    assert noise(1, 2, (3, 4)).tobytes() == noise(1, 2, (3, 4)).tobytes()
    draws = [noise(seed, generation, (3, 4)) for seed in (0, 1) for generation in (0, 1)]
    assert len({draw.tobytes() for draw in draws}) == 4
    assert abs(noise(0, 0, (100, 100)).std() - 1) < 0.02


def test_mean_losses_count_a_failed_trial_as_infinite():
    rows = [np.array([1.0, 2.0]), np.array([1.0, np.nan]), np.array([np.inf])]
    assert mean_losses(rows).tolist() == [1.5, np.inf, np.inf]
