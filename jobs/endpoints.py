"""What an endpoint must be to be registered, and what it can do. No SQL: that is `Catalog`."""

import re
from datetime import UTC, datetime
from typing import Any

from backends.base import BackendError, BackendUnavailable
from backends.registry import Capability, check_options, find, probe_backend
from backends.remote.hosts import check_url, private_allowed
from jobs.models import EndpointRow

KEY_VARIABLE = re.compile(r"(?!GRADLESS_)[A-Z][A-Z0-9_]*_(KEY|TOKEN)")


class BadKeyVariable(ValueError):
    """Only variables that are named like a key may be sent to an API as one."""

    param = "options.key_variable"


class BadAddress(ValueError):
    """An address that is none, or that may not be asked."""

    param = "options.base_url"


class Unreachable(ValueError):
    """Nobody answers at the address given."""

    param = "options.base_url"


def new_endpoint(id_: str, kind: str, model: str, options: dict[str, Any]) -> EndpointRow:
    """A checked row; an API is asked what it can do, a local model is not opened.

    Raises:
        UnknownBackend, ValueError: the kind or an option is not one there is.
        BadKeyVariable: the key would be read from a variable that is not named like one.
        BadAddress: it is none, or one that the operator does not allow.
        Unreachable, BackendRefused: the API does not answer, or not for this model.
    """
    check_options(kind, options)
    variable = options.get("key_variable")
    if variable is not None and not KEY_VARIABLE.fullmatch(variable):
        raise BadKeyVariable(
            "key_variable is not what it should be: wanted the name of an environment variable "
            "that ends in _KEY or _TOKEN and does not begin with GRADLESS_; the key itself stays "
            "in the service's environment, and what was given is not repeated here"
        )
    for url in options.get("base_url", "").split(","):
        _check_address(url.strip())
    try:
        facts = probed(kind, model, options)
    except BackendUnavailable as error:
        message = f"{error}; start the server or correct the address: nothing was stored"
        raise Unreachable(message) from error
    return EndpointRow(id=id_, kind=kind, model=model, options=options, probed=facts)


def _check_address(url: str) -> None:
    """Said of its own field: the probe would refuse it too, as everything later does."""
    if url:
        try:
            check_url(url, private_allowed())
        except BackendError as error:
            raise BadAddress(f"{url}: {error}") from None


def probed(kind: str, model: str, options: dict[str, Any]) -> dict[str, Any] | None:
    """What asking the model shows, and when; None where its kind already tells."""
    facts = probe_backend(kind, model, **options)
    return facts and {**facts, "probed_at": datetime.now(UTC).isoformat(timespec="seconds")}


def endpoint_capabilities(row: EndpointRow) -> list[str]:
    known = find(row.kind).capabilities if row.probed is None else row.probed["capabilities"]
    return sorted(known)


def is_priced(row: EndpointRow) -> bool:
    """Whether every token has a price, so that a budget of money can be kept."""
    prices = (row.options.get(name) for name in ("input_price", "output_price"))
    return all(price is not None for price in prices)


def generates(row: EndpointRow) -> bool:
    return Capability.GENERATION in endpoint_capabilities(row)
