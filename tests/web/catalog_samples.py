"""What the fake /api offers: the real metrics; methods for vectors, for text and for labels."""

from app.offers import MetricPublic
from jobs.metrics import METRICS as REAL

METRICS = [MetricPublic.of(name, metric).model_dump(by_alias=True) for name, metric in REAL.items()]

METHODS = [
    {
        "object": "method",
        "name": "bbt",
        "title": "BBT: black-box tuning",
        "summary": "CMA-ES on a random subspace of the soft prompt.",
        "citation": "Sun et al. 2022, arXiv:2201.03514",
        "needs": ["soft_prompts"],
        "presets": {
            "paper": {"intrinsic_dim": 500, "population_size": 20, "antithetic": False},
            "fast": {"intrinsic_dim": 100, "population_size": 20, "antithetic": True},
        },
        "schema": {
            "type": "object",
            "properties": {
                "name": {"const": "bbt"},
                "intrinsic_dim": {
                    "type": "integer",
                    "minimum": 2,
                    "default": 500,
                    "description": "Dimension of the space that is searched.",
                },
                "population_size": {
                    "anyOf": [{"type": "integer", "minimum": 2}, {"type": "null"}],
                    "default": None,
                    "description": "Prompts tried in one generation.",
                },
                "sigma0": {
                    "type": "number",
                    "default": 1.0,
                    "exclusiveMinimum": 0,
                    "description": "First step size of CMA-ES.",
                },
                "step_size": {
                    "enum": ["csa", "tpa"],
                    "default": "csa",
                    "description": "How the step size adapts.",
                },
                "antithetic": {
                    "type": "boolean",
                    "default": False,
                    "description": "Try each prompt and its mirror image.",
                },
            },
        },
    },
    {
        "object": "method",
        "name": "rlprompt",
        "title": "RLPrompt",
        "summary": "Soft Q-learning of a token policy.",
        "citation": "Deng et al. 2022, arXiv:2205.12548",
        "needs": ["ranks_vocabulary"],
        "presets": {"paper": {}},
        "schema": {"type": "object", "properties": {}},
    },
    {
        "object": "method",
        "name": "grips",
        "title": "GrIPS",
        "summary": "Edits of the manual prompt, phrase by phrase.",
        "citation": "Prasad et al. 2023, arXiv:2203.07281",
        "needs": ["text_prompts"],
        "presets": {"paper": {"compose": 1}},
        "schema": {
            "type": "object",
            "properties": {"compose": {"type": "integer", "default": 1}},
        },
    },
    {
        "object": "method",
        "name": "promptboosting",
        "title": "PromptBoosting",
        "summary": "An ensemble whose label words are found by boosting.",
        "citation": "Hou et al. 2023, arXiv:2212.09257",
        "needs": ["text_prompts"],
        "presets": {"paper": {}},
        "schema": {"type": "object", "properties": {}},
    },
]
