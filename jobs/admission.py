"""What a job must be to enter the queue: refused with a sentence, or complete."""

from jobs.catalog import Catalog, endpoint_capabilities
from jobs.methods import did_you_mean
from jobs.models import DatasetRow
from jobs.spec import JobSpec, TaskSpec
from jobs.task import slots


class Refused(ValueError):
    """The job cannot be run as written; `param` is the field to change."""

    def __init__(self, param: str, message: str, code: str) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


def admit(spec: JobSpec, catalog: Catalog) -> JobSpec:
    """The spec with its task filled in, once everything it names exists and fits together.

    Raises:
        NoSuchEndpoint, NoSuchDataset: a name is unknown.
        Refused: the parts do not fit.
    """
    endpoint = catalog.endpoint(spec.endpoint)
    dataset = catalog.dataset(spec.dataset)
    _check_needs(spec, endpoint.kind, endpoint_capabilities(endpoint))
    task = _complete(spec.task, dataset)
    _check_budget(spec, dataset)
    return spec.model_copy(update={"task": task})


def _check_needs(spec: JobSpec, kind: str, capabilities: list[str]) -> None:
    missing = sorted(need for need in spec.method.needs if need not in capabilities)
    if missing:
        raise Refused(
            "method.name",
            f"{spec.method.name} needs {', '.join(missing)}; endpoint {spec.endpoint!r} "
            f"(kind {kind}) offers {', '.join(capabilities)}. Choose another method or endpoint",
            "method_endpoint_mismatch",
        )


def _complete(task: TaskSpec, dataset: DatasetRow) -> TaskSpec:
    template = task.template
    if template is None:
        template = " ".join(f"{{{slot}}}" for slot in ["prompt", *dataset.columns])
    _check_template(template, dataset.columns)
    verbalizer = task.verbalizer
    if verbalizer is None:
        verbalizer = {label: label for label in dataset.labels}
    _check_verbalizer(verbalizer, dataset.labels)
    ordered = {label: verbalizer[label] for label in dataset.labels}
    return task.model_copy(update={"template": template, "verbalizer": ordered})


def _check_template(template: str, columns: list[str]) -> None:
    used = slots(template)
    known = ["prompt", "label", *columns]
    for slot in used:
        if slot not in known:
            raise Refused(
                "task.template",
                f"no slot {{{slot}}}; {did_you_mean(slot, known)}",
                "unknown_slot",
            )
        if used.count(slot) > 1:
            raise Refused(
                "task.template", f"slot {{{slot}}} stands twice; wanted once", "repeated_slot"
            )
    if not set(columns) & set(used):
        raise Refused(
            "task.template",
            f"the template shows no input: {template!r}; use at least one of "
            + ", ".join(f"{{{column}}}" for column in columns),
            "no_input_slot",
        )
    if "prompt" not in used:
        raise Refused(
            "task.template",
            f"the template has no {{prompt}} slot: {template!r}; it is what gets tuned",
            "no_prompt_slot",
        )


def _check_verbalizer(verbalizer: dict[str, str], labels: list[str]) -> None:
    missing = sorted(set(labels) - verbalizer.keys())
    if missing:
        raise Refused(
            "task.verbalizer",
            f"no label word for {', '.join(map(repr, missing))}; the dataset's labels are "
            f"{', '.join(labels)}",
            "missing_label",
        )
    unknown = sorted(verbalizer.keys() - set(labels))
    if unknown:
        hint = did_you_mean(unknown[0], labels)
        raise Refused(
            "task.verbalizer", f"the dataset has no label {unknown[0]!r}; {hint}", "unknown_label"
        )
    words = [word.strip() for word in verbalizer.values()]
    if "" in words or len(set(words)) < len(words):
        raise Refused(
            "task.verbalizer",
            f"label words must be different and not empty, got {verbalizer}",
            "bad_label_words",
        )


def _check_budget(spec: JobSpec, dataset: DatasetRow) -> None:
    n_train, n_dev = (sum(dataset.counts[split].values()) for split in ("train", "dev"))
    baseline = n_train + n_dev
    generation = spec.method.generation_queries(n_train, n_dev)
    if spec.budget.queries < baseline + generation:
        raise Refused(
            "budget.queries",
            f"{spec.budget.queries:,} queries are less than one generation: the baseline takes "
            f"{baseline:,} ({n_train} train + {n_dev} dev rows) and a generation {generation:,}; "
            f"wanted at least {baseline + generation:,}, and some dozens of generations to learn",
            "budget_too_small",
        )
