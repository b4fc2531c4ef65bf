"""The kinds of backend there are and what each can do, as data. Nothing is imported or opened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from sys import float_info


class Capability(StrEnum):
    TEXT_PROMPTS = "text_prompts"  # any words around the input
    SOFT_PROMPTS = "soft_prompts"  # vectors at the input
    DEEP_PROMPTS = "deep_prompts"  # vectors at every layer
    LABEL_PROBABILITIES = "label_probabilities"  # graded scores, not right or wrong alone
    GENERATION = "generation"  # text of the model's own
    VOCABULARY = "vocabulary"  # the likeliest words for the gap
    INFILL = "infill"  # words after the gap are read too
    FEATURES = "features"  # the vector made of an input
    IMAGES = "images"  # reads an image beside the words
    VISUAL_PROMPTS = "visual_prompts"  # vectors beside the patches of an image
    HIDDEN_STATES = "hidden_states"  # what each layer reads
    SUBNETWORKS = "subnetworks"  # fixed parts of the model, asked as the whole is
    ADAPTER = "adapter"  # a linear map from one model's features to what another reads
    THINKING = "thinking"  # demonstrations whose keys and values are moved by reading them again


INSIDE = {Capability.HIDDEN_STATES, Capability.SUBNETWORKS}  # of transformers of our own
SIGHT = {Capability.IMAGES, Capability.VISUAL_PROMPTS}
ALONE = frozenset(Capability) - {Capability.ADAPTER, Capability.THINKING}  # by itself, of any kind
WORDS = ALONE - SIGHT - {Capability.FEATURES}

RUNGS: dict[str, str] = {
    "named": "log-probabilities of the label tokens themselves, asked for by name",
    "sequence": "log-probability of every label's tokens after the prompt, from an echo",
    "top": "log-probabilities among the likeliest tokens; a label that is not there gets a floor",
    "choice": "the label that constrained decoding chose: 0 or 1, no probability",
    "samples": "how often each label was drawn, with its standard error",
    "match": "the label that the answer begins with: 0 or 1, no probability",
}  # the ladder of label scores, best first, and what each means

_NOT_NEGATIVE = -1e-300  # as a bound that is itself not allowed


@dataclass(frozen=True)
class Option:
    """One setting of a backend. `choices`, where given, are all its values."""

    type: type[int] | type[float] | type[str]
    default: int | float | str | None  # None: may be left unset
    description: str
    above: float = -float_info.max  # of numbers, and the bound itself is not allowed
    at_most: float = float_info.max
    choices: tuple[str, ...] = ()
    required: bool = False

    @property
    def wanted(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            return " or ".join(map(repr, self.choices))
        noun = {int: "a whole number", float: "a finite number", str: "a text"}[self.type]
        low = f" above {self.above:g}" if self.above > -float_info.max else ""
        return noun + low + (f", at most {self.at_most:g}" if self.at_most < float_info.max else "")

    def accepts(self, value: object) -> bool:
        if value is None or isinstance(value, bool):
            return value is None and self.default is None and not self.required
        if self.type is str:
            return isinstance(value, str) and (not self.choices or value in self.choices)
        if not isinstance(value, int if self.type is int else int | float):
            return False
        return self.above < value <= self.at_most  # false for nan and infinity too


@dataclass(frozen=True)
class Layout:
    """How an input is shown where nobody says otherwise."""

    between: str = " "  # prompt and columns, and columns among themselves
    end: str = ""  # stands before the answer

    def template(self, columns: Sequence[str]) -> str:
        """The slots {prompt} and {column}, in order: the prompt first, for prefix caches."""
        return self.between.join(f"{{{slot}}}" for slot in ["prompt", *columns]) + self.end


@dataclass(frozen=True)
class Kind:
    path: str  # "module:Class", imported when first opened
    capabilities: frozenset[Capability]
    summary: str
    options: Mapping[str, Option] = field(default_factory=dict)
    layout: Layout = Layout()
    probe: str = ""  # "module:function", where only asking tells what a model can do


_MACHINE: dict[str, Option] = {
    "threads": Option(int, None, "batches read side by side; unset: one for every core", 0, 1024),
    "device": Option(
        str, "auto", "auto: a GPU where there is one", choices=("auto", "cpu", "cuda")
    ),
    "dtype": Option(
        str,
        "float32",
        "what finite differences need; halves are quicker on a GPU and drown them",
        choices=("float32", "bfloat16", "float16"),
    ),
}
_LOCAL: dict[str, Option] = {
    **_MACHINE,
    "download": Option(
        str,
        "no",
        "yes: a model not on this machine is fetched from the Hugging Face hub",
        choices=("no", "yes"),
    ),
}

KINDS: dict[str, Kind] = {
    "masked": Kind(
        "backends.local.masked:Masked",
        WORDS - {Capability.GENERATION},
        "A masked language model of transformers on this machine: a label scores by its "
        "probability in the gap.",
        _LOCAL,
        layout=Layout(end=" {label}."),
    ),
    "causal": Kind(
        "backends.local.causal:Causal",
        WORDS - {Capability.INFILL} | {Capability.THINKING},
        "A causal language model of transformers on this machine: a label scores by its "
        "probability after the text.",
        _LOCAL,
        layout=Layout("\n\n", "\n\nAnswer:"),
    ),
    "seq2seq": Kind(
        "backends.local.seq2seq:Seq2Seq",
        WORDS,
        "An encoder-decoder of transformers on this machine: a label scores by its probability "
        "where the decoder fills the gap.",
        {
            **_LOCAL,
            "gap": Option(
                str,
                "auto",
                "auto: shown in the text as the model knows it; answer: the label is what the "
                "decoder says first",
                choices=("auto", "answer"),
            ),
        },
        layout=Layout("\n\n", "\n\nAnswer:"),
    ),
    "clip": Kind(
        "backends.clip.model:Clip",
        ALONE - INSIDE - {Capability.GENERATION, Capability.VOCABULARY},
        "A CLIP of open_clip on this machine: a label scores by how alike the image and the "
        "prompted text with the label in it are.",
        {
            "soft_position": Option(
                str,
                "start",
                "where soft tokens stand: at the start of the text, or right before the label",
                choices=("start", "label"),
            ),
            **_MACHINE,
        },
        layout=Layout(end=" a photo of a {label}."),
    ),
    "encoder": Kind(
        "backends.encoder:Encoder",
        ALONE - {Capability.GENERATION} - SIGHT,
        "A sentence encoder on this machine: a label scores by how alike its text and the "
        "prompted input are.",
        {
            "scale": Option(float, 20.0, "nats that one unit of cosine is worth", above=0),
            "threads": _MACHINE["threads"],
            "dtype": Option(
                str,
                "float32",
                "bfloat16 is less exact, and faster only where the processor has AMX",
                choices=("float32", "bfloat16"),
            ),
        },
    ),
    "bridge": Kind(
        "backends.bridge:Bridge",
        # its scores are graded, but without an adapter it is blind: no other method may tune it
        frozenset({Capability.ADAPTER, Capability.IMAGES, Capability.FEATURES}),
        "A CLIP and a language model on this machine with a linear map between them: the second "
        "reads what the first sees.",
        {
            "reader": Option(
                str,
                "encoder",
                "kind of the model that reads",
                choices=("encoder", "masked", "causal", "seq2seq"),
            ),
            "source": Option(str, "digits-clip", "the CLIP that sees, as the kind clip names it"),
            "n_tokens": Option(int, 1, "vectors that one image becomes", 0, 64),
            "threads": _MACHINE["threads"],
        },
    ),
    "openai": Kind(
        "backends.remote.backend:open_remote",
        ALONE - {Capability.DEEP_PROMPTS, Capability.FEATURES} - INSIDE - SIGHT,
        "A model behind any OpenAI-compatible server; what it can do is found by asking it.",
        {
            "base_url": Option(
                str, None, "address of its /v1; several replicas: commas between", required=True
            ),
            "key_variable": Option(
                str, None, "name of the environment variable that holds the key; unset: no key"
            ),
            "input_price": Option(float, None, "price of 10^6 tokens read", _NOT_NEGATIVE),
            "output_price": Option(float, None, "price of 10^6 tokens written", _NOT_NEGATIVE),
            "currency": Option(str, "USD", "currency of the prices"),
            "route": Option(
                str, "auto", "which route is asked", choices=("auto", "completions", "chat")
            ),
            "scores": Option(
                str,
                "auto",
                "how label scores are read off answers; auto: the best way that works",
                choices=("auto", *RUNGS),
            ),
            "samples": Option(int, 16, "draws for one sampled score", 1, 1000),
            "timeout": Option(float, 60.0, "seconds one answer may take", 0, 3600),
            "concurrency": Option(int, 256, "most requests in flight at once", 0, 4096),
            "embeddings": Option(
                str, None, "folder with the same model's weights, for soft prompts by embeddings"
            ),
        },
        layout=Layout("\n\n", "\n\nAnswer:"),
        probe="backends.remote.probe:probe",
    ),
}
