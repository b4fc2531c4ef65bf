import numpy as np
import pytest

from jobs.prompts import SoftPrompt, TextPrompt
from jobs.spaces import Projection, Texts, WordList, normal_scale, uniform_scale

WORDS = ("is", "this", "a complaint")
START = np.random.default_rng(7).standard_normal((50, 200)).astype(np.float32)


def projection(kind="normal", scale=0.1, seed=0, dim=20):
    return Projection(dim, START, kind, scale, seed)


def test_words_are_their_own_prompt():
    assert Texts().decode("as {it} is") == TextPrompt("as {it} is")


def test_positions_are_read_off_the_list():
    assert WordList(WORDS).decode(np.array([1, 0, 2, 2])) == TextPrompt(
        "this is a complaint a complaint"
    )


def test_golden_normal_scale():  # methods.md §15.4, golden vector 16
    assert normal_scale(0.04, 500, sigma0=1.0, alpha=1.0) == pytest.approx(0.00178885, abs=5e-9)
    assert normal_scale(0.04, 500, sigma0=2.0, alpha=0.2) == pytest.approx(0.000178885, abs=5e-10)


def test_golden_uniform_scale():  # methods.md §15.4, golden vector 16
    bound = uniform_scale(500)
    assert bound == pytest.approx(0.0447214, abs=5e-8)
    matrix = projection("uniform", bound, dim=500).matrix
    assert np.abs(matrix).max() <= np.float32(bound)
    assert np.abs(matrix).max() > 0.999 * bound
    assert matrix.std() == pytest.approx(0.0258199, rel=0.005)
    assert matrix.mean() == pytest.approx(0.0, abs=1e-4)


def test_normal_entries_have_the_scale():
    matrix = projection(scale=0.25, dim=200).matrix
    assert matrix.std() == pytest.approx(0.25, rel=0.005)
    assert np.abs(matrix).max() > 4 * 0.25  # tails: it is not a uniform one


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_decoding(kind):
    space = projection(kind)
    z = np.random.default_rng(1).standard_normal(20)
    prompt = space.decode(z)
    assert isinstance(prompt, SoftPrompt)
    assert (prompt.vectors.dtype, prompt.vectors.shape) == (np.float32, (1, 50, 200))
    expected = START.ravel().astype(float) + space.matrix.astype(float) @ z
    np.testing.assert_allclose(prompt.vectors.ravel(), expected, atol=1e-5)


def test_zero_decodes_to_the_start():
    decoded = projection().decode(np.zeros(20))
    assert decoded.vectors[0].tobytes() == START.tobytes()
    decoded.vectors[:] = 0  # a prompt of its own, not a view
    assert START.any()


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_the_matrix_is_a_function_of_the_seed(kind):
    assert projection(kind).matrix.tobytes() == projection(kind).matrix.tobytes()
    matrices = [projection(kind, seed=seed).matrix for seed in (0, 1, 2**32 - 1)]
    assert len({matrix.tobytes() for matrix in matrices}) == 3
    assert all(matrix.dtype == np.float32 and matrix.shape == (10_000, 20) for matrix in matrices)


def test_the_first_prompts_spread_as_embeddings_do():
    scale = normal_scale(0.04, 20, sigma0=0.5, alpha=1.0)
    space = projection(scale=scale)
    candidates = 0.5 * np.random.default_rng(0).standard_normal((200, 20))
    shifts = np.array([space.decode(z).vectors[0] - START for z in candidates])
    assert shifts.std() == pytest.approx(0.04, rel=0.05)
