"""A task whose answers are texts, as the contract describes it: its job and its report."""

from tests.web import samples
from tests.web.samples import SCRIPT, Object

QUESTION = "What did the committee decide about the opening hours of the swimming pool in winter?"
TARGET = "It opens an hour later, from seven in the morning."
PLAIN, TUNED = "Nothing was decided.", "From seven in the morning,\nan hour later than in summer."


def job(job_id: str, status: str = "running", metric: str = "rouge_l") -> Object:
    spec = samples.on_api()["spec"]
    task = {
        "template": "{prompt} {text}",
        "verbalizer": {},
        "baseline": "Answer in one sentence.",
        "metric": {"name": metric},
        "max_tokens": 32,
    }
    method = {"name": "grips", "preset": "paper"}
    spec = {**spec, "dataset": "minutes", "task": task, "method": method}
    return samples.job(job_id, status, "answers as texts", metric=metric, spec=spec)


def report(job_id: str, of: Object) -> Object:
    """Twelve rows, of which the first can hurt a page that reads it as code."""
    changed = [
        {
            "inputs": {"text": SCRIPT if k == 0 else f"{QUESTION} ({k})"},
            "label": SCRIPT if k == 0 else TARGET,
            "baseline": SCRIPT if k == 0 else PLAIN,
            "tuned": TUNED if k % 4 else "",
            "baseline_right": 0.125,
            "tuned_right": 0.75 if k % 4 else 0.0,
        }
        for k in range(12)
    ]
    whole = samples.report(job_id, of)
    sides = {name: {**whole[name], "loss": 0.3, "confusion": []} for name in ("baseline", "tuned")}
    graded = {"metric": "rouge_l", "test": "paired bootstrap", "labels": []}
    sides["tuned"]["kind"] = "text"
    return {**whole, **graded, **sides, "changed": changed, "n_changed": len(changed)}
