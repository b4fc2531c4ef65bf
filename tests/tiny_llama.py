"""A Llama of 630,000 parameters that tells good films from bad, trained here in seconds.

It is written as transformers and as llama.cpp read it, and answers for itself through torch, so
that what a server says of it can be compared with what it is.
"""

import json
import random
import shutil
import tempfile
from atexit import register
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

GOOD = ["great", "wonderful", "moving", "brilliant", "delightful", "superb", "charming", "fresh"]
BAD = ["terrible", "dull", "boring", "awful", "clumsy", "stale", "lifeless", "bad"]
THINGS = ["movie", "film", "plot", "acting", "script", "ending", "story", "cast"]
SENTENCES = (
    "the {thing} was {word} .",
    "a {word} {thing} .",
    "i found the {thing} {word} .",
    "what a {word} {thing} !",
)
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]  # tokens 0 to 3
HIDDEN, LAYERS, HEADS, CONTEXT = 128, 2, 2, 2048  # heads of 64: vLLM has no smaller ones on a CPU
STEPS, BATCH = 120, 32
CHAT = (
    "{{ bos_token }}{% for m in messages %}{{ m['content'] }}{% if not loop.last %}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %} It was{% endif %}"
)


@dataclass(frozen=True)
class TinyLlama:
    folder: Path  # config, tokenizer, safetensors
    gguf: Path

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model = AutoModelForCausalLM.from_pretrained(self.folder, dtype="float32")
        return model.eval(), AutoTokenizer.from_pretrained(self.folder)

    def ids(self, text: str) -> list[int]:
        return list(self._loaded[1].encode(text, add_special_tokens=False))

    def text(self, ids: list[int]) -> str:
        return str(self._loaded[1].decode(ids))

    def next(self, ids: list[int]) -> np.ndarray:
        """Log-probabilities of the next token, nats, shape (n_vocabulary,)."""
        return self.every(vectors=self.embed(ids))[-1]

    def embed(self, ids: list[int]) -> np.ndarray:
        return self._loaded[0].get_input_embeddings().weight.detach().numpy()[ids]

    def every(self, vectors: np.ndarray) -> np.ndarray:
        """The same after each of these vectors, shape (n, n_vocabulary)."""
        import torch

        with torch.inference_mode():
            logits = self._loaded[0](inputs_embeds=torch.from_numpy(vectors)[None]).logits[0]
            return logits.double().log_softmax(-1).numpy()

    def score(self, before: str, end: str, soft: np.ndarray | None = None) -> float:
        """log p(end | soft, before), nats."""
        start, said = self.ids(before), self.ids(end)
        given = self.embed([*start, *said])
        given = given if soft is None else np.concatenate([soft, given])
        table = self.every(given)[len(given) - len(said) - 1 :]
        return float(sum(table[place, token] for place, token in enumerate(said)))


@cache
def tiny_llama() -> TinyLlama:
    """Trained once a process, away when it ends; the same weights every time."""
    root = Path(tempfile.mkdtemp(prefix="tiny-llama-"))
    register(shutil.rmtree, root, ignore_errors=True)
    tiny = TinyLlama(root / "tiny", root / "tiny.gguf")
    train(tiny.folder)
    write_gguf(tiny.folder, tiny.gguf)
    return tiny


def train(folder: Path) -> None:
    import torch

    texts = _corpus(random.Random(0))
    tokenizer = _tokenizer(texts)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two slow each other down where others compute
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = _model(len(tokenizer))
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
        chosen = random.Random(1)
        for _ in range(STEPS):
            texts_now = [f"<s>{text}</s>" for text in chosen.sample(texts, BATCH)]
            batch = tokenizer(
                texts_now, padding=True, return_tensors="pt", add_special_tokens=False
            )
            wanted = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
            model(**batch, labels=wanted).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    torch.set_num_threads(threads)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _corpus(draw: random.Random) -> list[str]:
    texts = []
    for _ in range(4000):
        words, label = draw.choice([(GOOD, "great"), (BAD, "terrible")])
        sentence = draw.choice(SENTENCES)
        filled = sentence.format(thing=draw.choice(THINGS), word=draw.choice(words))
        texts.append(f"{filled} It was {label}")
    return texts


def _tokenizer(texts: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    every_byte = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=512, special_tokens=SPECIAL, initial_alphabet=every_byte, show_progress=False
    )
    bpe.train_from_iterator(texts, trainer)
    names = dict(zip(["unk_token", "bos_token", "eos_token", "pad_token"], SPECIAL, strict=True))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, **names)
    tokenizer.chat_template = CHAT
    return tokenizer


def _model(n_vocabulary: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=n_vocabulary,
        hidden_size=HIDDEN,
        intermediate_size=4 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=CONTEXT,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=3,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config)


def write_gguf(folder: Path, path: Path) -> None:
    """The same weights and tokenizer in llama.cpp's format, float32."""
    import gguf
    from safetensors.numpy import load_file

    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer)
    _write_tokenizer(writer, folder)
    for name, weight in load_file(folder / "model.safetensors").items():
        writer.add_tensor(_gguf_name(name), np.ascontiguousarray(_paired(name, weight)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: Any) -> None:
    import gguf

    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(4 * HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def _write_tokenizer(writer: Any, folder: Path) -> None:
    import gguf

    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    kinds = [gguf.TokenType.CONTROL] * 4 + [gguf.TokenType.NORMAL] * (len(tokens) - 4)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token.encode() for token in tokens])
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in model["merges"]])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(3)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT)


GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "model.layers": "blk",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "post_attention_layernorm": "ffn_norm",
    "input_layernorm": "attn_norm",
}


def _gguf_name(name: str) -> str:
    for ours, theirs in GGUF_NAMES.items():
        name = name.replace(ours, theirs)
    return name


def _paired(name: str, weight: np.ndarray) -> np.ndarray:
    """llama.cpp turns neighboring rows of a head together, transformers its two halves."""
    if "q_proj" not in name and "k_proj" not in name:
        return weight
    halves = weight.reshape(HEADS, 2, -1, weight.shape[1])
    return halves.swapaxes(1, 2).reshape(weight.shape)
