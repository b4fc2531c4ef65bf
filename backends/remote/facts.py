"""What a probe has found out about one model on one server, as JSON. Asks nothing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True)
class Facts:
    """Every fact has been seen in an answer; a server's word alone counts only for its name."""

    model: str
    route: Literal["completions", "chat"]  # the one that is used
    routes: tuple[str, ...]  # all that answer
    server: str = ""  # name and version, where told
    context: int | None = None  # tokens that fit, where told
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # its name here
    sets_temperature: bool = True  # False: the server has a temperature of its own
    usage: bool = False  # answers tell how many tokens were read and written
    overhead: int = 256  # no request has more special and template tokens than this

    logprobs: int = 0  # how many likeliest tokens come back; 0: none, whatever was asked
    whole_vocabulary: bool = False  # their probabilities sum to 1
    score_temperature: float = 0.0  # 1.0 where log-probabilities depend on the temperature
    noise: float | None = None  # nats: largest change of a log-probability, asked twice
    named: bool = False  # `logprob_token_ids` brings back exactly those tokens
    echo: int | None = None  # `max_tokens` with which an echo carries right log-probabilities
    choice: str | None = None  # the field that really constrains an answer
    n: int = 1  # most draws that one request brings back
    seed: bool = False  # a seed repeats a draw, and another one changes it
    draws: bool = False  # answers differ at temperature 1
    plain_sampling: bool = False  # takes `top_k` and `min_p`, so that both can be switched off
    prompt_lists: bool = False  # several prompts in one request
    prompt_embeds: float | None = None  # nats between a text and its embeddings; None: refused

    capabilities: tuple[str, ...] = ()  # values of registry.Capability
    rungs: tuple[str, ...] = ()  # of the ladder, those that work, best first
    rung: str = ""  # the one that is used
    missing: Mapping[str, str] | None = None  # rung or power -> why it is not there
    notes: tuple[str, ...] = ()  # what a reader should know besides
    probed_at: str = ""  # UTC, ISO 8601

    def to_json(self) -> dict[str, Any]:
        listed = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
        return listed | {"missing": dict(self.missing or {})}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Facts":
        """The same facts again; what another version has written besides is left out."""
        names = {field.name for field in fields(cls)}
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in found.items()
            if name in names
        }
        return cls(**known)
