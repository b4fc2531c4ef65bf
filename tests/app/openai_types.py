"""OpenAI's own client at a service, and its own types held against what came over the wire."""

from collections.abc import Collection
from typing import Any

from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.servers import Service

METHOD = {"name": "bbt", "intrinsic_dim": 8, "n_prompt_tokens": 2, "population_size": 4}


def client(service: Service) -> OpenAI:
    return OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0)


def async_client(service: Service) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0)


def tuning(generations: int, method: dict[str, Any] = METHOD) -> dict[str, Any]:
    """`method` of a request for a job on the colors."""
    return {
        "type": "prompt",
        "prompt": {"method": method, "budget": {"queries": 8 + generations * 20}},
    }


def body(raw: Any) -> dict[str, Any]:
    """What an answer says before the client has read it."""
    said: dict[str, Any] = raw.http_response.json()
    return said


def strict(
    kind: type[BaseModel], said: dict[str, Any], *, apart: Collection[str] = (), may_lack: str = ""
) -> None:
    """Nothing of the type is missing, and all is of its type; the client itself forgives much."""
    missing = {name for name in kind.model_fields if name not in said} - set(may_lack.split())
    assert not missing, missing
    kind.model_validate({name: value for name, value in said.items() if name not in apart})
