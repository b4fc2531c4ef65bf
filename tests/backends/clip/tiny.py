"""A CLIP made in a second, with open_clip's own towers, random weights and words of its own."""

import io
import json
from pathlib import Path

import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = ["<pad>", "<unk>", "a", "photo", "of", "the", "cat", "dog", "horse", "big", "small", "red"]
WORDS += ["very", ",", ".", "!", "<start>", "<end>"]
LABELS = ["cat", "very big dog", "horse"]
VISION = {"image_size": 32, "patch_size": 8, "layers": 3, "width": 48, "head_width": 24}
RESNET = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "head_width": 32}
TEXT = {"context_length": 20, "layers": 3, "width": 64, "heads": 2}
OWN_WORDS = {**TEXT, "vocab_size": len(WORDS), "hf_tokenizer_name": "tiny"}


def write(folder: Path, **changes) -> Path:
    """A CLIP as open_clip's hub folders are; `changes` go into its model_cfg."""
    model_cfg = {"embed_dim": 32, "vision_cfg": VISION, "text_cfg": OWN_WORDS, **changes}
    preprocess = {"interpolation": "bilinear", "mean": [0.4] * 3, "std": [0.3] * 3}
    config = {"model_cfg": model_cfg, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    tokenizer().save(str(folder / "tokenizer.json"))
    save_file(_weights(folder), folder / "open_clip_model.safetensors")
    return folder


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    """Random, and spread so far that no two inputs look alike to the model."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "embedding" in name:
                    weight.normal_(std=0.5)
    return {name: tensor.contiguous() for name, tensor in model.state_dict().items()}


def tokenizer() -> Tokenizer:
    ids = {word: index for index, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>",
        special_tokens=[(word, ids[word]) for word in ("<start>", "<end>")],
    )
    tokenizer.add_special_tokens(["<pad>", "<unk>", "<start>", "<end>"])
    return tokenizer


def file_of(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
