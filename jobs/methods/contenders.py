"""The methods that search by themselves: all but the race, in which they can run."""

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Discriminator, Tag

from jobs.methods.adapter import Adapter
from jobs.methods.base import Method
from jobs.methods.bbt import BBT
from jobs.methods.bbt_rgb import BBTRGB
from jobs.methods.bbtv2 import BBTv2
from jobs.methods.bdpl import BDPL
from jobs.methods.blackvip import BlackVIP
from jobs.methods.bpt_vlm import BPTVLM
from jobs.methods.clip_tuning import ClipTuning
from jobs.methods.deep_thinking import DeepThinking
from jobs.methods.grips import GrIPS
from jobs.methods.llm import LLM
from jobs.methods.nevergrad import Nevergrad
from jobs.methods.ops import LR, OPSLR, OPSSPSA, SPSA
from jobs.methods.promptboosting import PromptBoosting
from jobs.methods.random_search import RandomDraws
from jobs.methods.rlprompt import RLPrompt
from jobs.methods.shift import ShiftMethod
from jobs.methods.zip import ZIP
from jobs.methods.zo import ZeroOrder
from jobs.strict import one_of, tag

CONTENDERS: dict[str, type[Method]] = {  # in this order they are listed and offered
    "shift": ShiftMethod,  # what gained most where it can be used: the form begins with it
    "bbt": BBT,
    "bbtv2": BBTv2,
    "bbt-rgb": BBTRGB,
    "clip-tuning": ClipTuning,
    "grips": GrIPS,
    "rlprompt": RLPrompt,
    "bdpl": BDPL,
    "promptboosting": PromptBoosting,
    "llm": LLM,
    "lr": LR,
    "spsa": SPSA,
    "ops-lr": OPSLR,
    "ops-spsa": OPSSPSA,
    "bpt-vlm": BPTVLM,
    "zip": ZIP,
    "blackvip": BlackVIP,
    "zo": ZeroOrder,
    "nevergrad": Nevergrad,
    "random-search": RandomDraws,
    "deep-thinking": DeepThinking,
    "adapter": Adapter,
}

AnyContender: TypeAlias = Annotated[
    Annotated[ShiftMethod, Tag("[shift]")]
    | Annotated[BBT, Tag("[bbt]")]
    | Annotated[BBTv2, Tag("[bbtv2]")]
    | Annotated[BBTRGB, Tag("[bbt-rgb]")]
    | Annotated[ClipTuning, Tag("[clip-tuning]")]
    | Annotated[GrIPS, Tag("[grips]")]
    | Annotated[RLPrompt, Tag("[rlprompt]")]
    | Annotated[BDPL, Tag("[bdpl]")]
    | Annotated[PromptBoosting, Tag("[promptboosting]")]
    | Annotated[LLM, Tag("[llm]")]
    | Annotated[LR, Tag("[lr]")]
    | Annotated[SPSA, Tag("[spsa]")]
    | Annotated[OPSLR, Tag("[ops-lr]")]
    | Annotated[OPSSPSA, Tag("[ops-spsa]")]
    | Annotated[BPTVLM, Tag("[bpt-vlm]")]
    | Annotated[ZIP, Tag("[zip]")]
    | Annotated[BlackVIP, Tag("[blackvip]")]
    | Annotated[ZeroOrder, Tag("[zo]")]
    | Annotated[Nevergrad, Tag("[nevergrad]")]
    | Annotated[RandomDraws, Tag("[random-search]")]
    | Annotated[DeepThinking, Tag("[deep-thinking]")]
    | Annotated[Adapter, Tag("[adapter]")],
    Discriminator(tag),
    BeforeValidator(one_of("method", CONTENDERS)),
]
