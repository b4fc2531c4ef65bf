"""Label scores by one plain forward of transformers each: no padding, no hooks, no vectors."""

import torch


def cut(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@torch.inference_mode()
def logs(model, **read):
    """Log-probabilities, float64, shape (length, n_vocabulary)."""
    read = {name: torch.tensor([ids]) for name, ids in read.items()}
    read.setdefault("attention_mask", torch.ones_like(read["input_ids"]))
    return model(**read).logits[0].double().log_softmax(-1)


def masked(model, tokenizer, before, after, label):
    head, tail = cut(tokenizer, before), cut(tokenizer, after)
    tokens = cut(tokenizer, " " + label)
    ids = [tokenizer.cls_token_id or tokenizer.bos_token_id, *head]
    ids += [tokenizer.mask_token_id] * len(tokens) + tail
    ids.append(tokenizer.sep_token_id or tokenizer.eos_token_id)
    table = logs(model, input_ids=ids)[1 + len(head) :]
    return float(sum(table[i, token] for i, token in enumerate(tokens))) / len(tokens)


def causal(model, tokenizer, before, _, label):
    head, tokens = tokenizer(before)["input_ids"], cut(tokenizer, " " + label)
    table = logs(model, input_ids=[*head, *tokens])[len(head) - 1 :]
    return float(sum(table[i, token] for i, token in enumerate(tokens)))


def t5(model, tokenizer, before, after, label):
    gap, end = tokenizer.convert_tokens_to_ids(["<extra_id_0>", "</s>"])
    read = [*cut(tokenizer, before), gap, *cut(tokenizer, after), end]
    tokens = cut(tokenizer, " " + label)
    said = [model.config.decoder_start_token_id, gap, *tokens]
    table = logs(model, input_ids=read, decoder_input_ids=said)[1:]
    return float(sum(table[i, token] for i, token in enumerate(tokens)))


def bart(model, tokenizer, before, after, label):
    head = [tokenizer.bos_token_id, *cut(tokenizer, before)]
    tail = [*cut(tokenizer, after), tokenizer.eos_token_id]
    tokens = cut(tokenizer, " " + label)
    read = [*head, tokenizer.mask_token_id, *tail]
    said = [model.config.decoder_start_token_id, *head, *tokens]
    table = logs(model, input_ids=read, decoder_input_ids=said)[len(head) :]
    return float(sum(table[i, token] for i, token in enumerate(tokens)))


@torch.inference_mode()
def greedy(model, ids, ends, most, **encoder):
    """The likeliest token, again and again, each by a forward of the whole."""
    name = "decoder_input_ids" if encoder else "input_ids"
    written = list(ids)
    for _ in range(most):
        token = int(logs(model, **encoder, **{name: written})[-1].argmax())
        if token in ends:
            break
        written.append(token)
    return written[len(ids) :]


ORACLES = {"t5": t5, "bart": bart}


def score(family, plain, before, after, label):
    model, tokenizer = plain(family)
    oracle = ORACLES.get(family) or (masked if tokenizer.mask_token else causal)
    return oracle(model, tokenizer, before, after, label)
