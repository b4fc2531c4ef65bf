"""Every bad question about names, tuned models, keys and projects."""

from tests.app.bad import Bad, delete, get, raw

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
    Bad("a key that nobody has", delete("/api/keys/nope"), 404, None, ["'nope'"]),
    Bad(
        "a project that nobody made",
        get("/api/jobs", **{"x-gradless-project": "nope"}),
        404,
        "x-gradless-project",
        ["'nope'"],
    ),
]
