"""Soft prompts in both towers against plain forwards, layer after layer, written here."""

import io

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from backends.base import BackendRefused, Query
from backends.clip.model import Clip
from tests.backends.clip.tiny import LABELS, VISION, WORDS

STEP = np.float32(1e-3)  # of the finite differences below


def text_by_hand(model, ids, soft, place):
    """A caption's vector, padded to the whole context as open_clip does it; differentiable."""
    n_soft = soft.shape[1]
    words = model.token_embedding(torch.tensor(ids))
    read = torch.cat([words[:place], soft[0], words[place:]])
    pad = model.token_embedding(torch.zeros(model.context_length - len(read), dtype=torch.long))
    hidden = (torch.cat([read, pad]) + model.positional_embedding)[None]
    for number, block in enumerate(model.transformer.resblocks):
        if 1 <= number < len(soft):
            shift = torch.zeros_like(hidden)
            shift[:, place : place + n_soft] = soft[number]
            hidden = hidden + shift
        hidden = block(hidden, attn_mask=model.attn_mask)
    vector = model.ln_final(hidden)[0, len(read) - 1] @ model.text_projection
    return vector / vector.norm()


@torch.inference_mode()
def image_by_hand(model, pixels, visual, read=slice(0, 1)):
    """An image's vector with tokens behind its patches, one image alone.

    `read`: the tokens whose mean is the vector; the first is the class token.
    """
    tower, visual = model.visual, torch.tensor(visual)
    patches = tower.conv1(pixels[None]).flatten(2).transpose(1, 2)[0]
    own = torch.cat([tower.class_embedding[None], patches]) + tower.positional_embedding
    hidden = tower.ln_pre(torch.cat([own, visual[0]]))[None]
    for number, block in enumerate(tower.transformer.resblocks):
        if 1 <= number < len(visual):
            hidden = hidden.clone()
            hidden[:, len(own) :] += visual[number]
        hidden = block(hidden)
    vector = tower.ln_post(hidden[0, read]).mean(dim=0) @ tower.proj
    return (vector / vector.norm()).numpy()


def words_of(reference, text):
    """The tokens of a text with both special ones, without padding."""
    ids = reference[2]([text])[0].tolist()
    return ids[: ids.index(17) + 1]


@pytest.mark.parametrize("position", ["start", "label"])
@pytest.mark.parametrize("words", ["a very small", "photo", "the red , the red !"])
def test_embedded_words_answer_as_the_words_themselves(folder, files, position, words):
    backend = Clip(str(folder), soft_position=position, threads=1)
    before, after = ("", "of a big ") if position == "start" else ("of a big ", "")
    written = [Query(f"{before}{words} {after}", " !", image=file) for file in files]
    soft = backend.embed(words)[None]
    inserted = [Query(before + after, " !", image=file, soft=soft) for file in files]
    wanted = backend.score(written, LABELS)
    assert backend.score(inserted, LABELS) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("position, place", [("start", 1), ("label", 3)])
@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_text_prompts_at_every_layer_are_those_of_a_plain_loop(
    folder, reference, rng, position, place, n_layers
):
    backend = Clip(str(folder), soft_position=position, threads=1)
    softs = rng.normal(size=(3, n_layers, 4, 64)).astype(np.float32)
    found = backend.features([Query("a photo", soft=soft) for soft in softs])
    ids = words_of(reference, "a photo")
    with torch.inference_mode():
        wanted = [text_by_hand(reference[0], ids, torch.tensor(s), place) for s in softs]
    assert found == pytest.approx(torch.stack(wanted).numpy(), abs=1e-6)


@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_visual_prompts_at_every_layer_are_those_of_a_plain_loop(
    clip, reference, files, rng, n_layers
):
    visuals = rng.normal(size=(6, n_layers, 5, 48)).astype(np.float32)
    asked = [Query("", image=f, visual=v) for f, v in zip(files, visuals, strict=True)]
    pictures = [reference[1](Image.open(io.BytesIO(file))) for file in files]
    wanted = [image_by_hand(reference[0], *each) for each in zip(pictures, visuals, strict=True)]
    assert clip.features(asked) == pytest.approx(np.array(wanted), abs=1e-6)


def test_a_mean_over_patches_leaves_the_prompt_out(make_folder, files, rng):
    folder = make_folder(vision_cfg={**VISION, "pool_type": "avg"})
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    visual = rng.normal(size=(2, 3, 48)).astype(np.float32)
    pixels = preprocess(Image.open(io.BytesIO(files[0])))
    found = Clip(str(folder), threads=1).features([Query("", image=files[0], visual=visual)])
    wanted = image_by_hand(model.eval(), pixels, visual, read=slice(1, 17))
    assert found[0] == pytest.approx(wanted, abs=1e-6)


def test_equal_texts_with_the_label_at_unlike_places_share_a_call(folder, files, rng):
    backend = Clip(str(folder), soft_position="label", threads=1)
    soft = rng.normal(size=(1, 2, 64)).astype(np.float32)
    sides = [("a photo of ", " !"), ("a ", " photo of !"), ("", " a photo of !")]
    asked = [Query(before, after, soft, files[0]) for before, after in sides]
    alone = np.concatenate([backend.score([query], LABELS) for query in asked])
    fresh = Clip(str(folder), soft_position="label", threads=1)
    assert fresh.score(asked, LABELS) == pytest.approx(alone, abs=1e-5)


def test_prompts_of_unlike_shapes_and_none_share_a_call(clip, files, rng):
    softs = [None, *[rng.normal(size=s).astype(np.float32) for s in ((1, 2, 64), (3, 1, 64))]]
    visuals = [None, *[rng.normal(size=s).astype(np.float32) for s in ((2, 1, 48), (3, 4, 48))]]
    asked = [Query("a ", image=files[0], soft=s, visual=v) for s in softs for v in visuals]
    together = clip.score(asked, LABELS)
    alone = np.concatenate([clip.score([query], LABELS) for query in asked])
    assert together == pytest.approx(alone, abs=1e-5)
    assert len(np.unique(together.round(4), axis=0)) == len(asked)


def test_a_prompt_without_tokens_is_none(clip, queries):
    nothing = {"soft": np.zeros((2, 0, 64), np.float32), "visual": np.zeros((1, 0, 48), np.float32)}
    empty = [Query(q.before, q.after, image=q.image, **nothing) for q in queries]
    assert clip.score(empty, LABELS).tobytes() == clip.score(queries, LABELS).tobytes()


def test_words_are_cut_and_label_prompt_and_end_are_not(clip, reference, rng):
    soft = rng.normal(size=(1, 12, 64)).astype(np.float32)  # 20 - 12 - 2: room for six words
    long = clip._captions.of(
        "a " * 9, "big dog", " !" * 9, clip._texts([Query("", soft=soft)])[0].prompt
    )
    assert [WORDS[i] for i in long.ids] == ["<start>", *"aaaa", "big", "dog", "<end>"]
    short = clip._captions.of("a photo ", "dog", " !" * 30, None)
    words = [WORDS[i] for i in short.ids]
    assert words == ["<start>", "a", "photo", "dog", *["!"] * 15, "<end>"]
    assert len(long) == len(short) == 20


def test_a_label_that_joins_its_neighbors_is_read_as_the_whole_text_is(clip, reference):
    text = clip._captions.of("a pho", "to of", "f red", None)
    assert list(text.ids) == words_of(reference, "a photo off red")


def test_a_text_cannot_name_the_end_token(clip):
    said = clip.features([Query("a <end> photo <start>"), Query("a photo")])
    assert said[0].tobytes() == said[1].tobytes()


@pytest.mark.parametrize(
    "field, soft, message",
    [
        (
            "soft",
            np.zeros((1, 2, 48)),
            r"soft prompt of shape \(1, 2, 48\): \(1 to 3, n_tokens, 64\)",
        ),
        ("soft", np.zeros((4, 2, 64)), r"\(4, 2, 64\): \(1 to 3, n_tokens, 64\) is wanted"),
        ("soft", np.zeros((2, 64)), r"\(2, 64\): \(1 to 3, n_tokens, 64\) is wanted"),
        ("soft", np.full((1, 2, 64), np.nan), "some of its numbers are not finite"),
        ("soft", np.full((1, 2, 64), 1e300), "some of its numbers are not finite"),
        ("soft", np.zeros((1, 18, 64)), "'cat' takes 1 tokens and the soft prompt 18: at most 18"),
        ("visual", np.zeros((1, 2, 64)), r"visual prompt .*: \(1 to 3, n_tokens, 48\) is wanted"),
        ("visual", np.full((1, 2, 48), np.inf), "some of its numbers are not finite"),
    ],
)
def test_prompts_that_cannot_be_read_are_refused(clip, files, field, soft, message):
    with pytest.raises(BackendRefused, match=message):
        clip.score([Query("", image=files[0], **{field: soft})], ["cat"])


def loss_of(backend, files, soft):
    """Mean cross-entropy in nats; the label of image i is i mod 3."""
    asked = [Query(" of a ", ".", image=file, soft=soft) for file in files]
    scores = backend.score(asked, LABELS)
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return -logs[np.arange(len(files)), np.arange(len(files)) % 3].mean()


def slope_by_autograd(reference, images, soft, direction, scale):
    """d loss(soft + t direction) / dt at 0."""
    model, _, _ = reference
    values = torch.tensor(soft, requires_grad=True)
    ids = [words_of(reference, f" of a {label}.") for label in LABELS]
    vectors = torch.stack([text_by_hand(model, each, values, 1) for each in ids])
    logs = (scale * torch.tensor(images, dtype=torch.float32) @ vectors.T).log_softmax(1)
    rows = torch.arange(len(images))
    (gradient,) = torch.autograd.grad(-logs[rows, rows % 3].mean(), values)
    return float((gradient * torch.tensor(direction)).sum())


def test_float32_keeps_finite_differences_and_bfloat16_drowns_them(folder, reference, clip, files):
    """At c = 1e-3 the error is 0.0006 of the slopes in float32, 16 times them in bfloat16."""
    images = clip.features([Query("", image=file) for file in files])
    soft = clip.embed("a photo")[None]
    directions = np.random.default_rng(0).normal(size=(8, *soft.shape)).astype(np.float32)
    wanted = [slope_by_autograd(reference, images, soft, d, clip._scale) for d in directions]

    def error(backend):
        found = [
            (loss_of(backend, files, soft + STEP * d) - loss_of(backend, files, soft - STEP * d))
            / (2 * STEP)
            for d in directions
        ]
        return np.linalg.norm(np.subtract(found, wanted)) / np.linalg.norm(wanted)

    assert error(clip) < 0.01
    assert error(Clip(str(folder), threads=1, dtype="bfloat16")) > 1
