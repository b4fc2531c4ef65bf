"""What a job must be to enter the queue: refused with a sentence, or complete."""

from backends.registry import KINDS, Capability, find
from jobs.catalog import Catalog, NoSuchEndpoint
from jobs.endpoints import endpoint_capabilities, generates, is_priced
from jobs.methods import METHODS
from jobs.metrics import METRICS, BadTarget
from jobs.models import DatasetRow, EndpointRow
from jobs.spec import JobSpec, TaskSpec
from jobs.strict import did_you_mean
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
    completed = complete(spec, catalog)
    check_budget(completed, catalog.dataset(spec.dataset))
    return completed


def complete(spec: JobSpec, catalog: Catalog) -> JobSpec:
    """As `admit`, but for the size of the budget."""
    endpoint = catalog.endpoint(spec.endpoint)
    dataset = catalog.dataset(spec.dataset)
    _check_needs(spec, endpoint)
    _check_images(endpoint, dataset, catalog)
    _check_writer(spec, catalog)
    _check_price(spec, catalog)
    _check_answers(spec, endpoint, dataset)
    _check_targets(spec, catalog)
    _check_data(spec, dataset)
    task = _complete(spec.task, dataset, endpoint.kind)
    _check_after(task, endpoint)
    return spec.model_copy(update={"task": task})


def _check_needs(spec: JobSpec, endpoint: EndpointRow) -> None:
    offered = endpoint_capabilities(endpoint)
    missing = sorted(need for need in spec.method.requires() if need not in offered)
    if missing:
        fit = [name for name, method in METHODS.items() if method.needs <= set(offered)]
        raise Refused(
            "method.name",
            f"{spec.method.name} needs {', '.join(missing)}; endpoint {endpoint.id!r} (kind "
            f"{endpoint.kind}) offers {', '.join(offered)}. Choose another endpoint, or one of the "
            f"methods that work with this one: {', '.join(fit) or 'none'}",
            "method_endpoint_mismatch",
        )


def _check_images(endpoint: EndpointRow, dataset: DatasetRow, catalog: Catalog) -> None:
    """What reads images needs some, and what has images needs a reader."""
    reads = reads_images(endpoint)
    if dataset.image_column and not reads:
        fit = [row.id for row in catalog.endpoints() if reads_images(row)]
        kinds = [name for name, kind in KINDS.items() if Capability.IMAGES in kind.capabilities]
        raise Refused(
            "endpoint",
            f"dataset {dataset.id!r} has images, and endpoint {endpoint.id!r} (kind "
            f"{endpoint.kind}) reads none. Those that do: {', '.join(fit) or 'none so far'}; "
            f"others can be added, of kind {' or '.join(kinds)}",
            "dataset_endpoint_mismatch",
        )
    if reads and not dataset.image_column:
        fit = [row.id for row in catalog.datasets() if row.image_column]
        raise Refused(
            "dataset",
            f"endpoint {endpoint.id!r} (kind {endpoint.kind}) reads images, and dataset "
            f"{dataset.id!r} has none. Those that have: {', '.join(fit) or 'none so far'}; others "
            "can be uploaded, as a zip",
            "dataset_endpoint_mismatch",
        )


def reads_images(row: EndpointRow) -> bool:
    return Capability.IMAGES in endpoint_capabilities(row)


def _check_writer(spec: JobSpec, catalog: Catalog) -> None:
    name = spec.method.writer_endpoint
    if not name:
        return
    try:
        writer = catalog.endpoint(name)
    except NoSuchEndpoint as error:
        raise Refused("method.writer", str(error), "no_such_endpoint") from None
    if not generates(writer):
        raise Refused(
            "method.writer",
            f"endpoint {name!r} (kind {writer.kind}) writes no text; wanted one that does",
            "method_endpoint_mismatch",
        )


def _check_price(spec: JobSpec, catalog: Catalog) -> None:
    """A budget of money on a model without a price would be no wall at all."""
    if spec.budget.cost is None:
        return
    names = [spec.endpoint, *filter(None, [spec.method.writer_endpoint])]
    rows = [catalog.endpoint(name) for name in names]
    for row in rows:
        if not is_priced(row):
            raise Refused(
                "budget.cost",
                f"endpoint {row.id!r} has no prices, so a budget of {spec.budget.cost:g} cannot be "
                "kept; register it with input_price and output_price, or leave budget.cost out",
                "unpriced_endpoint",
            )
    currencies = sorted({row.options.get("currency", "USD") for row in rows})
    if len(currencies) > 1:
        raise Refused(
            "budget.cost",
            f"the endpoints' prices are in {' and '.join(currencies)}; wanted one currency",
            "two_currencies",
        )


def _check_answers(spec: JobSpec, endpoint: EndpointRow, dataset: DatasetRow) -> None:
    """Labels to choose from, or a metric and a model that writes."""
    if spec.task.metric is None and not dataset.labels:
        raise Refused(
            "task.metric",
            f"dataset {dataset.id!r} has targets, not labels; name the metric that says how right "
            f"an answer is: {', '.join(METRICS)}",
            "no_metric",
        )
    if spec.task.metric is None:
        return
    if not generates(endpoint):
        raise Refused(
            "task.metric",
            f"a task with a metric needs generation; endpoint {endpoint.id!r} (kind "
            f"{endpoint.kind}) offers {', '.join(endpoint_capabilities(endpoint))}. Choose an "
            "endpoint that writes, or leave the metric out",
            "metric_endpoint_mismatch",
        )
    if spec.method.needs_labels():
        fit = [name for name, method in METHODS.items() if not method.labels_only]
        raise Refused(
            "method.name",
            f"{spec.method.name} learns from labels, and a task with a metric has none. Choose "
            f"one of {', '.join(fit)}, or leave the metric out",
            "method_task_mismatch",
        )
    if spec.task.verbalizer:
        raise Refused(
            "task.verbalizer",
            "label words are for tasks without a metric; leave out the one or the other",
            "verbalizer_with_metric",
        )


def _check_targets(spec: JobSpec, catalog: Catalog) -> None:
    if spec.task.metric is None:
        return
    for number, target in catalog.targets(spec.dataset):
        try:
            spec.task.metric.check(target)
        except BadTarget as error:
            raise Refused(
                "task.metric",
                f"{spec.task.metric.name} cannot be used on dataset {spec.dataset!r}: row "
                f"{number}: {error}",
                "bad_target",
            ) from None


def _complete(task: TaskSpec, dataset: DatasetRow, kind: str) -> TaskSpec:
    template = task.template
    if template is None:
        template = find(kind).layout.template(dataset.columns)
    _check_template(template, dataset.columns, dataset.image_column)
    labels = dataset.labels if task.metric is None else []
    verbalizer = task.verbalizer
    if verbalizer is None:
        verbalizer = {label: label for label in labels}
    _check_verbalizer(verbalizer, labels)
    ordered = {label: verbalizer[label] for label in labels}
    return task.model_copy(update={"template": template, "verbalizer": ordered})


def _check_template(template: str, columns: list[str], image: str) -> None:
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
    if image and image not in used:
        raise Refused(
            "task.template",
            f"the template has no {{{image}}} slot: {template!r}; the model is to see the image",
            "no_image_slot",
        )
    if "prompt" not in used:
        raise Refused(
            "task.template",
            f"the template has no {{prompt}} slot: {template!r}; it is what gets tuned",
            "no_prompt_slot",
        )


def _check_data(spec: JobSpec, dataset: DatasetRow) -> None:
    texts = [column for column in dataset.columns if column != dataset.image_column]
    try:
        spec.method.check_data(texts, dataset.labels)
    except ValueError as error:
        raise Refused("method", str(error), "unknown_name") from None


def _check_after(task: TaskSpec, endpoint: EndpointRow) -> None:
    """Words after the label are lost on a model that only continues what stands before it."""
    assert task.template is not None  # completed
    after = task.template.partition("{label}")[2].strip()
    if after and Capability.INFILL not in endpoint_capabilities(endpoint):
        raise Refused(
            "task.template",
            f"{after!r} stands after {{label}}, and endpoint {endpoint.id!r} (kind "
            f"{endpoint.kind}) reads only what stands before it; end the template with {{label}} "
            "or leave {label} out",
            "text_after_label",
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


def check_budget(spec: JobSpec, dataset: DatasetRow) -> None:
    """Refused, if the budget is less than the baseline and one generation."""
    n_train, n_dev = (sum(dataset.counts[split].values()) for split in ("train", "dev"))
    baseline = n_train + n_dev
    generation = spec.method.least_queries(n_train, n_dev)
    if spec.budget.queries < baseline + generation:
        raise Refused(
            "budget.queries",
            f"{spec.budget.queries:,} queries are less than one generation: the baseline takes "
            f"{baseline:,} ({n_train} train + {n_dev} dev rows) and a generation {generation:,}; "
            f"wanted at least {baseline + generation:,}, and some dozens of generations to learn",
            "budget_too_small",
        )
