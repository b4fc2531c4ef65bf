"""A text behind a tuned soft prompt, as vLLM reads it: a file on its own, part of exports for it.

Of the model it needs the tokenizer and the word vectors; the server is started with
--enable-prompt-embeds, and `client` is OpenAI's.

    tokenizer = AutoTokenizer.from_pretrained(model)
    embed = AutoModelForCausalLM.from_pretrained(model).get_input_embeddings()
    text = shown(template, {"text": "I was charged twice"})
    embeds = prompt_embeds(text, "soft_prompt.safetensors", tokenizer, embed)
    client.completions.create(model=model, prompt="", extra_body={"prompt_embeds": embeds})
"""

import base64
import re
from collections.abc import Mapping
from io import BytesIO
from typing import Any


def shown(template: str, inputs: Mapping[str, str]) -> str:
    """The template with an input in its slots, up to where the answer begins.

    A soft prompt leaves the slot {prompt} empty; the space before an answer belongs to the answer.
    """
    before, _, _ = re.sub(r"\{prompt\}\s*", "", template).partition("{label}")
    return re.sub(r"\{(\w+)\}", lambda slot: inputs[slot[1]], before).rstrip(" ")


def prompt_embeds(text: str, file: str, tokenizer: Any, embed: Any) -> str:
    """[special tokens before a text, soft prompt, text] as vectors: a tensor of torch, in base64.

    Args:
        file: the safetensors with the soft prompt.
        tokenizer: the model's, of transformers.
        embed: the model's word vectors, from a tensor of token numbers.
    """
    import torch
    from safetensors.torch import load_file

    plain, marked = tokenizer.encode("a", add_special_tokens=False), tokenizer.encode("a")
    first = marked[: marked.index(plain[0])]
    texts = (first, tokenizer.encode(text, add_special_tokens=False))
    with torch.no_grad():
        start, rest = (embed(torch.tensor(ids, dtype=torch.int64)).float() for ids in texts)
    buffer = BytesIO()
    torch.save(torch.cat([start, load_file(file)["prompt"][0], rest]), buffer)
    return base64.b64encode(buffer.getvalue()).decode()
