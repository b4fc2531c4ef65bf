"""What a job is measured by: the baseline before its search, and the test split after it."""

from typing import Any

from jobs import prompts
from jobs.answering import n_queries
from jobs.meter import BudgetSpent, Meter
from jobs.models import Status
from jobs.objective import Objective, finite
from jobs.prompts import TextPrompt
from jobs.report import compare, scores, versions
from jobs.search import Incumbent
from jobs.store import Ending
from jobs.work import Work


def measure_baseline(work: Work) -> dict[str, Any]:
    """The manual prompt on train and dev, paid from the budget."""
    prompt = TextPrompt(work.spec.task.baseline)
    train, dev = (
        objective.score([(prompt, None)])[0] for objective in (work.search.train, work.search.dev)
    )
    return {
        "prompt": prompt.text,
        "train_loss": finite(train.loss),
        "train_accuracy": train.accuracy,
        "dev_loss": finite(dev.loss),
        "dev_accuracy": dev.accuracy,
        "queries": work.meter.spent,
    }


def report(work: Work, incumbent: Incumbent) -> Ending:
    """The test split, once: the incumbent against the baseline.

    Outside the budgets of queries and seconds, but within the walls of tokens and cost.
    """
    work.ledger.held_requests, work.ledger.look_up = 0, work.look_up
    test = list(work.split.test)
    most = len(test) * (1 + n_queries(incumbent.prompt))
    meter = Meter(work.backend, most, between=work.look_up, around=work.meter.around)
    objective = Objective(work.task, meter, test, work.search.dev.loss)
    asked = [TextPrompt(work.spec.task.baseline), incumbent.prompt]
    try:
        baseline, tuned = objective.score([(prompt, None) for prompt in asked])
    except BudgetSpent as error:
        return Ending(Status.SUCCEEDED, "budget_spent", None, _not_measured(error))
    body = compare(baseline, tuned, test, work.task)
    body["baseline"]["prompt"] = work.spec.task.baseline
    body["tuned"]["kind"] = prompts.kind_of(incumbent.prompt)
    body["tuned"]["generation"] = incumbent.generation
    body |= work.subject
    body["versions"] = versions()
    body["usage"] = {"queries": work.meter.spent, "report_queries": meter.spent}
    if work.rung is not None:
        body["rung"] = work.rung
    reason = "budget_spent" if work.meter.ran_out else "search_ended"
    kept = scores(baseline, tuned, test).model_dump()
    return Ending(Status.SUCCEEDED, reason, None, _in_a_nutshell(body), body, kept)


def _not_measured(error: BudgetSpent) -> dict[str, Any]:
    message = (
        f"Not measured on test: the budget of {error.wall} left too little for it. The prompt is "
        "the best by dev loss."
    )
    return {"outcome": "not_measured", "message": message}


def _in_a_nutshell(body: dict[str, Any]) -> dict[str, Any]:
    """The report for lists."""
    brief = ("accuracy", "n", "low", "high")
    return {
        "outcome": body["outcome"],
        "message": body["message"],
        "metric": body["metric"],
        "baseline": {key: body["baseline"][key] for key in brief},
        "tuned": {key: body["tuned"][key] for key in brief},
        "p_value": body["p_value"],
    }
