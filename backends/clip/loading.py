"""Opens CLIPs: from a folder, or weights that open_clip knows by name. Only safetensors."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
from huggingface_hub import hf_hub_download
from open_clip.pretrained import get_pretrained_cfg
from open_clip.tokenizer import get_clean_fn
from open_clip.transform import PreprocessCfg, image_transform_v2
from safetensors import SafetensorError
from tokenizers import Tokenizer

from backends.base import BackendRefused
from backends.clip.images import Preprocess
from backends.clip.words import Words, from_bpe, from_json

DIGITS = Path(__file__).parents[1] / "digits_clip"
CONFIG, WEIGHTS, TOKENIZER = (
    "open_clip_config.json",
    "open_clip_model.safetensors",
    "tokenizer.json",
)

_BROKEN = (OSError, ValueError, RuntimeError, TypeError, LookupError, AssertionError)


@dataclass(frozen=True, eq=False)
class Parts:
    """An open_clip model, its tokenizer, and how images are made ready for it."""

    model: Any
    words: Words
    preprocess: Preprocess


def opened(model: str) -> Parts:
    """The model of a name or folder, on the CPU in float32.

    Raises:
        BackendRefused: there is none, its weights are not at hand, or they are not safetensors.
    """
    if model == "digits-clip":
        return _of_folder(DIGITS)
    if (Path(model) / CONFIG).is_file():
        return _of_folder(Path(model))
    architecture, _, tag = model.partition("/")
    if architecture not in open_clip.list_models():
        raise BackendRefused(
            f"model {model!r}: 'digits-clip', a folder with {CONFIG}, or weights that open_clip "
            "knows, as 'ViT-B-32/laion2b_s34b_b79k', are wanted"
        )
    known = get_pretrained_cfg(architecture, tag)
    if not known.get("hf_hub"):
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture)) or "none"
        raise BackendRefused(
            f"model {model!r}: {architecture} is only a shape, its weights have to be named after "
            f"a slash; there are {tags}"
        )
    return _of_tag(model, architecture, known)


def _of_folder(folder: Path) -> Parts:
    try:
        config = json.loads((folder / CONFIG).read_text())["model_cfg"]
        if not (folder / WEIGHTS).is_file():  # open_clip would take a pickle instead
            raise FileNotFoundError(f"{WEIGHTS} is not there, and no other form is read")
        _own_towers(config)
        words = _words(config["text_cfg"], folder)
        model = open_clip.create_model(f"local-dir:{folder}", pretrained_text=False)
    except (*_BROKEN, SafetensorError) as error:
        raise BackendRefused(f"cannot read the model in {folder}: {error}") from error
    return _parts(model, words)


def _of_tag(name: str, architecture: str, known: dict[str, Any]) -> Parts:
    """`known` is what open_clip knows of the weights: where they are, and how images are made."""
    config = open_clip.get_model_config(architecture)
    try:
        words = _words(config["text_cfg"], None)
        weights = hf_hub_download(known["hf_hub"].rpartition("/")[0], WEIGHTS)
    except OSError as error:
        raise BackendRefused(
            f"model {name!r}: its weights are not on this machine and cannot be fetched from the "
            "Hugging Face hub; connect to it once, or name a folder that has "
            f"{CONFIG} and {WEIGHTS}"
        ) from error
    except ValueError as error:
        raise BackendRefused(f"model {name!r}: {error}") from error
    try:
        model = open_clip.create_model(
            architecture,
            pretrained=weights,
            pretrained_text=False,
            force_quick_gelu=known.get("quick_gelu", False),
            force_preprocess_cfg=known,
        )
    except (*_BROKEN, SafetensorError) as error:
        raise BackendRefused(f"cannot read the weights of {name!r}: {error}") from error
    return _parts(model, words)


def _own_towers(config: dict[str, Any]) -> None:
    """A folder may only describe open_clip's own towers: others would be fetched by name."""
    for side, other in (("vision_cfg", "timm_model_name"), ("text_cfg", "hf_model_name")):
        if config[side].get(other):
            raise ValueError(f"{side} names {config[side][other]!r}, which is not in the folder")


def _words(text: dict[str, Any], folder: Path | None) -> Words:
    """The tokenizer that a model's text_cfg asks for, as open_clip understands it."""
    if not text.get("hf_tokenizer_name"):
        return from_bpe(open_clip.SimpleTokenizer(**text.get("tokenizer_kwargs") or {}))
    if folder is None:
        raise ValueError(f"its tokenizer, {text['hf_tokenizer_name']!r}, has to be fetched")
    clean = get_clean_fn((text.get("tokenizer_kwargs") or {}).get("clean", "whitespace"))
    return from_json(_tokenizer(folder / TOKENIZER), clean)


def _parts(model: Any, words: Words) -> Parts:
    settings = PreprocessCfg(**model.visual.preprocess_cfg)
    return Parts(model, words, image_transform_v2(settings, is_train=False))


def _tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_str(path.read_text())
    except Exception as error:  # the library tells a broken file by no type of its own
        raise ValueError(f"{path.name}: {error}") from error
