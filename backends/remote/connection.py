"""How options become a connection to a server. Asks it nothing."""

import os

from backends.base import BackendRefused, BackendUnavailable
from backends.remote.hosts import private_allowed
from backends.remote.money import Prices
from backends.remote.pool import Pool

_TOO_MANY, _ERRORS = 429, 500


def read_key(variable: str | None) -> str | None:
    """The key that the operator has put into this environment variable.

    Raises:
        BackendRefused: a variable is named and there is nothing in it.
    """
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise BackendRefused(
            f"the environment variable {variable} is not set: put the key into it, "
            "where the service runs, and start the service again"
        )
    return key


def connect(
    model: str,
    *,
    base_url: str,
    key_variable: str | None = None,
    input_price: float | None = None,
    output_price: float | None = None,
    timeout: float = 60.0,
    concurrency: int = 256,
    **_others: object,
) -> Pool:
    """A pool of connections to all replicas; options that are for others are left out.

    Raises:
        BackendRefused: no address is given, or the variable of the key is empty.
    """
    urls = [url.strip() for url in base_url.split(",") if url.strip()]
    if not urls:
        raise BackendRefused(f"base_url {base_url!r}: an address such as http://host/v1 is wanted")
    return Pool(
        model,
        urls,
        key=read_key(key_variable),
        prices=Prices.per_million(input_price, output_price),
        timeout=timeout,
        concurrency=concurrency,
        allow_private=private_allowed(),
    )


def tokenize(pool: Pool, model: str, text: str) -> list[int]:
    """The tokens of a text as vLLM's /tokenize tells, special ones included.

    Raises:
        BackendRefused: the server has no such route.
        BackendUnavailable: it has, and cannot answer now.
    """
    status, answer = pool.ask("POST", "/tokenize", {"model": model, "prompt": text})
    if status == _TOO_MANY or status >= _ERRORS:
        raise BackendUnavailable(f"the server's /tokenize answers {status}")
    tokens = answer.get("tokens") if isinstance(answer, dict) else None
    if status != 200 or not isinstance(tokens, list) or not tokens:
        raise BackendRefused(f"the server's /tokenize answers {status} and tells no tokens")
    return [int(token) for token in tokens]
