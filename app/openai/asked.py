"""Requests as OpenAI's clients write them. What is not read is refused, never left out."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field

from app.deps import LARGEST
from app.errors import BadField
from jobs.galleries import IMAGE
from jobs.images import FILE_BYTES
from jobs.strict import Spec

Text: TypeAlias = Annotated[str, Field(max_length=20_000)]
ImageUrl: TypeAlias = Annotated[str, Field(max_length=FILE_BYTES * 4 // 3 + 300)]
Stop: TypeAlias = str | Annotated[list[str], Field(max_length=4)]
Given: TypeAlias = str | Mapping[str, str]  # of one input: a text, or its columns

MODEL = "pt:minilm:job_00066a1f0c3b5e2d91ab"
SAMPLING = (
    "temperature",
    "top_p",
    "n",
    "seed",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "user",
)


class StreamOptions(Spec):
    include_usage: bool = Field(False, description="a last chunk tells what the answer has cost")
    include_obfuscation: bool = Field(False, description="taken, and not done")


class Asked(Spec):
    """What both routes read; sampling is for endpoints that requests are passed on to."""

    model: str = Field(max_length=300, description="a tuned prompt: pt:<endpoint>:<job or name>")
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1, le=4096)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    n: int | None = Field(None, ge=1, le=128)
    seed: int | None = Field(None, ge=-LARGEST, le=LARGEST)
    stop: Stop | None = None
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    user: Annotated[str, Field(max_length=512)] | None = None

    @property
    def sampling(self) -> dict[str, Any]:
        """The fields that say how words are drawn, those that were given."""
        return self.model_dump(include=set(SAMPLING), exclude_none=True)

    @property
    def tells_usage(self) -> bool:
        """Whether a stream ends with what it has cost."""
        return self.stream_options is not None and self.stream_options.include_usage


class TextPart(Spec):
    type: Literal["text"]
    text: Text


class Url(Spec):
    url: ImageUrl
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Spec):
    type: Literal["image_url"]
    image_url: Url


Part: TypeAlias = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class Message(Spec):
    role: Literal["system", "developer", "user", "assistant"]
    content: Text | Annotated[list[Part], Field(min_length=1, max_length=20)]
    name: Annotated[str, Field(max_length=64)] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def images(self) -> list[str]:
        parts = self.content if isinstance(self.content, list) else []
        return [part.image_url.url for part in parts if isinstance(part, ImagePart)]


class ChatBody(Asked):
    """The last message is the input; those before it are read where an API is asked by chat."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": MODEL, "messages": [{"role": "user", "content": "Where is my parcel?"}]}
            ]
        }
    )
    messages: list[Message] = Field(min_length=1, max_length=1000)
    max_completion_tokens: int | None = Field(None, ge=1, le=4096)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)

    @property
    def most(self) -> int | None:
        """Tokens of the answer; None: as many as in the search."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def wants_logprobs(self) -> bool:
        return bool(self.logprobs)

    @property
    def before(self) -> list[dict[str, str]]:
        """The messages ahead of the input, as words."""
        return [{"role": each.role, "content": each.text} for each in self.messages[:-1]]

    def given(self, columns: Sequence[str]) -> tuple[list[Given], list[str]]:
        """The input, and the place of an error in it.

        Raises:
            BadField: the last message is not the user's, or not of these columns.
        """
        place = f"messages.{len(self.messages) - 1}"
        last = self.messages[-1]
        if last.role != "user":
            message = f"the last message is the {last.role}'s; wanted the user's: it is the input"
            raise BadField(place, message, "no_input")
        if not last.images:
            return [columns_in(last.text, columns, place)], [place]
        if len(last.images) > 1:
            raise BadField(place, f"{len(last.images)} images; wanted one", "wrong_columns")
        texts = [column for column in columns if column != IMAGE]
        rest = columns_in(last.text, texts, place) if texts else {}
        words = {texts[0]: rest} if isinstance(rest, str) else rest
        return [{**words, IMAGE: last.images[0]}], [place]


class CompletionBody(Asked):
    """Each text is an input."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": MODEL, "prompt": "Where is my parcel?"}]}
    )
    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=1000)]
    logprobs: int | None = Field(None, ge=0, le=5)
    echo: Literal[False] | None = None

    @property
    def most(self) -> int | None:
        """Tokens of the answer; None: as many as in the search."""
        return self.max_tokens

    @property
    def wants_logprobs(self) -> bool:
        return self.logprobs is not None

    @property
    def before(self) -> list[dict[str, str]]:
        return []

    def given(self, columns: Sequence[str]) -> tuple[list[Given], list[str]]:
        """The inputs, and the place of an error in each; raises BadField."""
        if isinstance(self.prompt, str):
            return [columns_in(self.prompt, columns, "prompt")], ["prompt"]
        places = [f"prompt.{number}" for number in range(len(self.prompt))]
        pairs = zip(self.prompt, places, strict=True)
        return [columns_in(text, columns, place) for text, place in pairs], places


def columns_in(text: str, columns: Sequence[str], place: str) -> Given:
    """The text itself where there is one column; of several, a JSON object of texts.

    Raises:
        BadField: it is empty, or not such an object.
    """
    if len(columns) == 1:
        if not text:
            raise BadField(place, "the text is empty; wanted an input", "no_input")
        return text
    wanted = "wanted a JSON object of texts with the columns " + ", ".join(columns)
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise BadField(place, f"the text is not JSON; {wanted}", "wrong_columns") from None
    if not isinstance(given, dict) or not all(isinstance(v, str) and v for v in given.values()):
        raise BadField(place, f"the text is JSON of another kind; {wanted}", "wrong_columns")
    return given
