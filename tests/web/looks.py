"""One service with something on every page, and the addresses of all pages."""

from collections.abc import Callable

from tests.web.stage import Stage

SPENT = 14_000  # queries: eight generations of BBT
NEWS = "text,headline,split\n" + "".join(
    f"The council met on day {day} and spoke of the pool,The pool opens on day {day},{split}\n"
    for split, days in (("train", 8), ("dev", 8), ("test", 24))
    for day in range(days)
)


def furnish(stage: Stage) -> dict[str, str]:
    """Ids by what they are of: jobs in every state, and one of everything else."""
    made = {"dataset": stage.dataset(NEWS, "news", target_column="headline")}
    made["endpoint"] = stage.endpoint()
    for seed, (state, act) in enumerate(ACTS.items()):
        budget = {"queries": SPENT if state in ("ended", "no better") else 40_000}
        made[state] = stage.job(f"a job that is {state}", budget=budget, seed=seed)
        act(stage, made[state])
    text = stage.job("words", endpoint="hosted", method={"name": "grips", "preset": "paper"})
    stage.advance(text, 4, "text")
    stage.finish(text)
    made["words"], made["name"] = text, "team-for-tickets"
    for job in (made["ended"], text):
        stage.post("/api/prompts", {"name": made["name"], "job": job})
    stage.post("/api/keys", {"name": "a reader", "role": "read"})
    return made


ACTS: dict[str, Callable[[Stage, str], None]] = {
    "queued": lambda stage, job: None,
    "running": lambda stage, job: stage.advance(job, 3),
    "paused": lambda stage, job: stage.pause(job),
    "ended": lambda stage, job: _through(stage, job, "succeeded"),
    "no better": lambda stage, job: _through(stage, job, "no_improvement"),
    "failed": lambda stage, job: stage.fail(job),
    "cancelled": lambda stage, job: stage.end(job, "cancelled"),
}


def _through(stage: Stage, job: str, outcome: str) -> None:
    stage.advance(job, 8)
    stage.finish(job, "improved" if outcome == "succeeded" else outcome)


PAGES = {  # what it is: its address, with ids of `furnish`
    "home": "/",
    "jobs": "/jobs",
    "new job": "/jobs/new",
    "job queued": "/jobs/{queued}",
    "job running": "/jobs/{running}",
    "job paused": "/jobs/{paused}",
    "job ended": "/jobs/{ended}",
    "job of words": "/jobs/{words}",
    "job failed": "/jobs/{failed}",
    "job cancelled": "/jobs/{cancelled}",
    "report": "/jobs/{ended}/report",
    "compare": "/compare?jobs={ended},{no better},{running}",
    "datasets": "/datasets",
    "dataset": "/datasets/tickets",
    "dataset of images": "/datasets/two-digits",
    "endpoints": "/endpoints",
    "endpoint": "/endpoints/{endpoint}",
    "prompts": "/prompts",
    "one name": "/prompts/{name}",
    "keys": "/keys",
    "api": "/api/docs",
}
