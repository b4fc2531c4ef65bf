"""Every bad pause, clone, deletion and estimate."""

from tests.app.bad import Bad, delete, post, raw

LIFE = [
    Bad("to pause nothing", post("/api/jobs/nope/pause"), 404, None, ["'nope'"]),
    Bad("to clone nothing", post("/api/jobs/nope/clone"), 404, None, ["'nope'"]),
    Bad("to delete nothing", delete("/api/jobs/nope"), 404, None, ["'nope'"]),
    Bad("to delete a waiting job", delete("/api/jobs/{job}"), 409, None, ["queued", "?force=true"]),
    Bad(
        "force of another kind",
        delete("/api/jobs/{job}?force=perhaps"),
        422,
        "force",
        ["'perhaps'", "boolean"],
    ),
    Bad(
        "a key that is empty",
        raw("{}", **{"idempotency-key": ""}),
        422,
        "idempotency-key",
        ["255", "has 0"],
    ),
    Bad(
        "to estimate for no points",
        raw("{}", "/api/jobs/estimate?points=0"),
        422,
        "points",
        ["greater than 0", "'0'"],
    ),
]
