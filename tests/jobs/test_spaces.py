import numpy as np
import pytest

from jobs.prompts import SoftPrompt, TextPrompt
from jobs.spaces import (
    TOGETHER,
    Projection,
    Shifts,
    Side,
    Texts,
    TwoSided,
    WordList,
    decode_all,
    normal_scale,
    patch_mean,
    patch_scale,
    uniform_scale,
)

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


def around(text=(3, 5), visual=(2, 4)):
    random = np.random.default_rng(2)
    sides = [
        Side(random.standard_normal(shape).astype(np.float32), scale)
        for shape, scale in ((text, 0.5), (visual, 4.0))
        if shape is not None
    ]
    return Shifts(*sides)


def test_shifts_are_in_units_of_each_side():
    space, shift = around(), np.arange(23.0)
    prompt = space.decode(shift)
    assert space.size == 23
    moved = space.text.start.ravel() + 0.5 * shift[:15], space.visual.start.ravel() + 4 * shift[15:]
    np.testing.assert_allclose(prompt.vectors, moved[0].reshape(1, 3, 5), rtol=1e-6)
    np.testing.assert_allclose(prompt.visual, moved[1].reshape(1, 2, 4), rtol=1e-6)
    assert around(visual=None).decode(np.ones(15)).visual is None
    assert around(text=(0, 5)).decode(np.ones(8)).vectors.shape == (1, 0, 5)


def test_each_half_of_z_moves_its_own_side():
    space = TwoSided(around(), (6, 4), seed=1)
    start = space.decode(np.zeros(10))
    words, patches = (space.decode(np.array(z)) for z in ([1.0] * 6 + [0] * 4, [0] * 6 + [1.0] * 4))
    assert start.vectors.tobytes() == space.around.text.start.tobytes()
    assert (words.vectors != start.vectors).all() and (words.visual == start.visual).all()
    assert (patches.vectors == start.vectors).all() and (patches.visual != start.visual).all()


def test_a_projected_prompt_is_the_shift_by_its_matrix():
    space, z = TwoSided(around(), (6, 4), seed=1), np.random.default_rng(3).standard_normal(10)
    direct = space.around.decode(space.matrix.astype(float) @ z)
    np.testing.assert_allclose(space.decode(z).vectors, direct.vectors, atol=1e-5)
    np.testing.assert_allclose(space.decode(z).visual, direct.visual, atol=1e-5)


@pytest.mark.parametrize("mean", [0.0, 0.3])
def test_both_matrices_spread_by_their_dimension(mean):
    matrix = TwoSided(around((20, 30), (30, 20)), (50, 100), 0, visual_mean=mean).matrix
    text, visual = matrix[:600, :50], matrix[600:, 50:]
    assert text.std() == pytest.approx(50**-0.5, rel=0.02)
    assert visual.std() == pytest.approx(100**-0.5, rel=0.02)
    assert (text.mean(), visual.mean()) == pytest.approx((0, mean), abs=2e-3)
    assert not matrix[:600, 50:].any() and not matrix[600:, :50].any()
    assert abs(np.corrcoef(text.ravel()[:1000], visual.ravel()[:1000])[0, 1]) < 0.1


def test_a_first_two_sided_prompt_spreads_by_its_scales():
    space = TwoSided(around((20, 30), (30, 20)), (50, 100), 0)
    prompt = space.decode(np.random.default_rng(1).standard_normal(150))
    assert (prompt.vectors - space.around.text.start).std() == pytest.approx(0.5, rel=0.2)
    assert (prompt.visual - space.around.visual.start).std() == pytest.approx(4.0, rel=0.2)


def test_the_two_sided_matrix_is_a_function_of_the_seed():
    first, again, other = (TwoSided(around(), (6, 4), seed).matrix for seed in (0, 0, 1))
    assert first.tobytes() == again.tobytes() != other.tobytes()


@pytest.mark.parametrize("n", [1, TOGETHER, 2 * TOGETHER + 1])
def test_many_candidates_are_decoded_as_one_by_one(n):
    space = TwoSided(around(), (6, 4), seed=1)
    candidates = list(np.random.default_rng(0).standard_normal((n, 10)))
    together, alone = decode_all(space, candidates), [space.decode(z) for z in candidates]
    assert len(together) == n
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.vectors, other.vectors, atol=1e-5)
        np.testing.assert_allclose(one.visual, other.visual, atol=1e-5)
    assert together[0].vectors.base is None or together[0].vectors.base.size == 15


def test_spaces_that_decode_one_by_one_do_so():
    assert decode_all(Texts(), ["a", "b"]) == [TextPrompt("a"), TextPrompt("b")]
    assert decode_all(Texts(), []) == decode_all(TwoSided(around(), (6, 4), 1), []) == []


def test_the_visual_scales_are_those_of_the_released_code():
    """A_V ~ N(mean n / d, (std sqrt(n / d))^2), with n = 3072, d = 500 (methods.md, 14.1)."""
    scale, mean = patch_scale(0.02, 3072), patch_mean(0.001, 0.02, 3072, 500)
    assert scale / np.sqrt(500) == pytest.approx(0.02 * np.sqrt(3072 / 500))
    assert scale * mean == pytest.approx(0.001 * 3072 / 500)
