"""Every bad question about names and tuned models."""

from tests.app.bad import Bad, get, raw

NAMES = [
    Bad("a name that nobody gave", get("/api/prompts/nope"), 404, "name", ["'nope'"]),
    Bad(
        "to name what no job has found",
        raw('{"name": "support", "job": "nope"}', "/api/prompts"),
        404,
        None,
        ["'nope'"],
    ),
    Bad("a model that nobody tuned", get("/v1/models/pt:nope"), 404, "model", ["'pt:nope'"]),
]
