"""Models of every family, made in the test: random weights, and tokenizers of a few words."""

from collections.abc import Sequence
from pathlib import Path

import torch
import transformers
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

TEXTS = [
    "the movie was great . it was very good , and i liked it a lot !",
    "the plot was terrible : dull , slow and not very good . it was bad .",
    "what a great film (great acting , good script) about many things",
    "is it good or bad ? great or not great ? a great movie , a greater film .",
    "World news : the greatest sports and business stories about the film",
]
WORDS = sorted({word for text in TEXTS for word in text.lower().split() if word.isalpha()})
LETTERS = [*"abcdefghijklmnopqrstuvwxyz"]
SIGNS = [*".,:!?()<>/[]_0"]

WIDTH = 16
COMMON = {"hidden_size": WIDTH, "num_attention_heads": 2, "intermediate_size": 32}
BERT = {**COMMON, "num_hidden_layers": 3, "initializer_range": 0.3, "max_position_embeddings": 48}
LLAMA = {
    **COMMON,
    "num_hidden_layers": 3,
    "num_key_value_heads": 1,
    "initializer_range": 0.3,
    "max_position_embeddings": 48,
}
OPT = {**COMMON, "num_hidden_layers": 3, "init_std": 0.3, "max_position_embeddings": 48}

# family -> transformers' model, its tokenizer below, and its config beside the tokens
FAMILIES = {
    "bert": ("Bert", "MaskedLM", "wordpiece", BERT),
    "electra": ("Electra", "MaskedLM", "wordpiece", {**BERT, "embedding_size": WIDTH}),
    "distilbert": (
        "DistilBert",
        "MaskedLM",
        "wordpiece",
        {"dim": WIDTH, "n_heads": 2, "n_layers": 3, "hidden_dim": 32, "initializer_range": 0.3}
        | {"max_position_embeddings": 48},
    ),
    "roberta": ("Roberta", "MaskedLM", "framed", {**BERT, "max_position_embeddings": 52}),
    "albert": ("Albert", "MaskedLM", "unigram", {**BERT, "embedding_size": WIDTH}),
    "narrow": ("Albert", "MaskedLM", "unigram", {**BERT, "embedding_size": 8}),
    "gpt2": (
        "GPT2",
        "LMHeadModel",
        "bpe",
        {"n_embd": WIDTH, "n_layer": 3, "n_head": 2, "n_positions": 48, "initializer_range": 0.3},
    ),
    "opt": ("OPT", "ForCausalLM", "bos", {**OPT, "ffn_dim": 32, "word_embed_proj_dim": WIDTH}),
    "llama": ("Llama", "ForCausalLM", "bos", LLAMA),
    "qwen2": ("Qwen2", "ForCausalLM", "bpe", LLAMA),
    "qwen3": ("Qwen3", "ForCausalLM", "bpe", {**LLAMA, "head_dim": 8}),
    "mistral": ("Mistral", "ForCausalLM", "bos", {**LLAMA, "sliding_window": 24}),
    "t5": (
        "T5",
        "ForConditionalGeneration",
        "sentinels",
        {"d_model": WIDTH, "d_kv": 8, "d_ff": 32, "num_layers": 3, "num_heads": 2}
        | {"initializer_factor": 1.0, "decoder_start_token_id": 3},
    ),
    "bart": (
        "Bart",
        "ForConditionalGeneration",
        "framed",
        {"d_model": WIDTH, "encoder_layers": 3, "decoder_layers": 2, "scale_embedding": True}
        | {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32}
        | {"decoder_ffn_dim": 32, "max_position_embeddings": 48, "init_std": 0.3}
        | {"decoder_start_token_id": 2},
    ),
}
MASKED = ["bert", "electra", "distilbert", "roberta", "albert"]
CAUSAL = ["gpt2", "opt", "llama", "qwen2", "qwen3", "mistral"]
SEQ2SEQ = ["t5", "bart"]

ROBERTA_SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
NAMES = {
    "wordpiece": ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    "unigram": ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"),
}


def build(family: str, folder: Path) -> Path:
    """Writes the model of a family into `folder`, the same weights every time."""
    name, head, cut, settings = FAMILIES[family]
    tokenizer = TOKENIZERS[cut]()
    head = f"For{head}" if head == "MaskedLM" else head
    with torch.random.fork_rng():
        torch.manual_seed(1)
        config = getattr(transformers, f"{name}Config")(
            vocab_size=len(tokenizer),
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            **settings,
        )
        model = getattr(transformers, f"{name}{head}")(config)
        _unlike(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@torch.no_grad()
def _unlike(model) -> None:
    """Biases and norms that are all 0 or 1 would hide what is left out."""
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.add_(0.1 * torch.randn_like(parameter))


def wordpiece():
    """As BERT's: words and pieces of them, and no case."""
    pieces = [*NAMES["wordpiece"], *WORDS, *SIGNS, *LETTERS, *(f"##{one}" for one in LETTERS)]
    numbers = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return _framed(tokenizer, *NAMES["wordpiece"])


def unigram():
    """As ALBERT's: SentencePiece marks, one in front of every text."""
    return _framed(_pieces(NAMES["unigram"]), *NAMES["unigram"])


def sentinels():
    """As T5's: SentencePiece marks, an end of text, and names for gaps."""
    special = ["<pad>", "</s>", "<unk>", "<start>", "<extra_id_0>", "<extra_id_1>"]
    tokenizer = _pieces(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=40,
        additional_special_tokens=special[4:],
    )


def bpe():
    """As GPT-2's, RoBERTa's and BART's: bytes, and a space belongs to the word behind it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=ROBERTA_SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def framed_bpe():
    tokenizer = bpe()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return _named(tokenizer, mask_token="<mask>")


def bos_bpe():
    tokenizer = bpe()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    return _named(tokenizer)


def _named(tokenizer, **more):
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        **more,
    )


def _pieces(special: Sequence[str]):
    words = [(f"▁{word}", -3.0) for word in WORDS]
    letters = [(one, -8.0) for one in ["▁", *LETTERS, *SIGNS]]
    pieces = [(token, 0.0) for token in special] + words + letters
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=special.index("<unk>")))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def _framed(tokenizer, pad, unk, cls, sep, mask):
    numbers = [(token, tokenizer.token_to_id(token)) for token in (cls, sep)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}", special_tokens=numbers
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        unk_token=unk,
        cls_token=cls,
        sep_token=sep,
        mask_token=mask,
    )


TOKENIZERS = {
    "wordpiece": wordpiece,
    "unigram": unigram,
    "sentinels": sentinels,
    "bpe": lambda: _named(bpe()),
    "framed": framed_bpe,
    "bos": bos_bpe,
}
