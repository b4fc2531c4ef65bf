"""What a report to keep says, row by row, in words. No page and no Markdown is written here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from web.examples import change
from web.formats import DASH, count, interval, loss, measured, p_value, percent, points

Object = Mapping[str, Any]  # an object of the API, as its JSON says it
Row = list[str]

MOST_POINTS = 12  # rows of the curves in a table
EMPTY = "(the empty prompt)"
SIDES = ("baseline", "tuned")
SCORES = ("Prompt", "Test {}", "95 % interval", "Rows", "Loss")
CURVES = ("Generation", "Queries", "Dev loss", "Dev {}", "Incumbent: dev loss", "dev {}")
SPENT = ("", "Spent", "Estimated: low", "typical", "at most", "Budget")
ALWAYS = ("queries", "report_queries", "seconds")
PAID = ("requests", "recalled", "tokens", "cost")  # where an API was asked
NAMES = {
    "queries": "Queries on train and dev",
    "report_queries": "Queries on test",
    "seconds": "Seconds of tuning",
    "requests": "Requests",
    "recalled": "Remembered answers",
    "tokens": "Tokens",
    "cost": "Cost",
}
WRITTEN: dict[str, Callable[[float], str]] = {
    "seconds": "{:,.1f}".format,
    "cost": "{:,.4f}".format,
}  # the others are counts


@dataclass(frozen=True)
class Story:
    """All that a report is about, as the API tells it."""

    report: Object
    job: Object
    generations: Sequence[Object]
    dataset: Object | None  # None: it is deleted, or was made anew since
    model: str  # kind:name; empty: its endpoint is deleted
    gradless: str  # version that writes the file

    @property
    def title(self) -> str:
        return str(self.job["name"] or self.job["id"])

    @property
    def measure(self) -> str:
        return str(self.report["metric"])

    @property
    def answers(self) -> Row:
        """Heads the rows of `changed`."""
        label = "True label" if self.report["labels"] else "Target"
        return ["Example", label, "Baseline", "Tuned", "Change"]

    def head(self, titles: Sequence[str]) -> Row:
        """Titles of columns, with the name of what is measured in place of {}."""
        return [title.replace("{}", measured(self.measure)) for title in titles]


def about(story: Story) -> list[Row]:
    """Who was asked, on what, by which method, and when."""
    spec, scores = story.job["spec"], story.job["scores"]
    return [
        ["Job", str(story.job["id"])],
        ["Finished", f"{story.job['finished_at'] or DASH}"[:19].replace("T", " ") + " UTC"],
        ["Endpoint", f"{spec['endpoint']} ({story.model or 'deleted since'})"],
        *([["Label scores", f"{scores['rung']}: {scores['meaning']}"]] if scores else []),
        ["Method", f"{spec['method']['name']}, preset {spec['method'].get('preset') or DASH}"],
        ["Seed", str(spec["seed"])],
        *_data(spec["dataset"], story),
    ]


def _data(name: str, story: Story) -> list[Row]:
    """By the dataset, or where it is gone by what the report kept of it."""
    dataset, kept = story.dataset, story.report.get("dataset")
    if dataset is None:
        if kept is None:  # a report from before they kept it
            return [["Dataset", f"{name} (deleted, or made anew since: its hash is not known)"]]
        gone = f"{name} (deleted, or made anew since)"
        return [["Dataset", gone], ["SHA-256 of the rows", str(kept["sha256"])]]
    rows = ", ".join(f"{split} {count(each['rows'])}" for split, each in dataset["splits"].items())
    return [
        ["Dataset", f"{name} ({dataset['filename']})"],
        ["Rows", f"{rows}; splits {dataset['split_source']}"],
        ["SHA-256 of the rows", str(dataset["sha256"])],
    ]


def versions(story: Story) -> list[Row]:
    """Of what the figures depend on, as the job found it."""
    known = story.report.get("versions") or {}
    return [[name, number or DASH] for name, number in known.items()]


def scored(story: Story) -> list[Row]:
    """A row a prompt, as `SCORES` heads them."""
    return [
        [
            side.capitalize(),
            percent(found["accuracy"]),
            interval(found),
            count(found["n"]),
            loss(found["loss"], story.measure),
        ]
        for side in SIDES
        for found in [story.report[side]]
    ]


def verdict(story: Story) -> list[Row]:
    """The difference, and how sure it is."""
    report = story.report
    return [
        ["Difference", points(report["tuned"]["accuracy"] - report["baseline"]["accuracy"])],
        [f"p-value, {report['test']}", p_value(report["p_value"])],
        ["Rows fixed", count(report["fixed"])],
        ["Rows broken", count(report["broken"])],
    ]


def prompts(story: Story) -> list[tuple[str, str, str]]:
    """Side, its words, and a remark where the prompt is something else than words."""
    kind, incumbent = story.report["tuned"]["kind"], story.job["incumbent"] or {}
    words = incumbent.get("text") or EMPTY if kind == "text" else ""
    remark = "" if words else f"A prompt of the kind “{kind}”: the service has it as a file."
    if near := incumbent.get("nearest_words"):
        shown = ", ".join(f"{word} {cosine:.2f}" for word, cosine in near)
        remark += f" The vocabulary’s nearest words and their cosine, as an illustration: {shown}."
    return [
        ("baseline", story.report["baseline"]["prompt"] or EMPTY, ""),
        ("tuned", words, remark),
    ]


def spending(story: Story) -> list[Row]:
    """What was spent beside what was expected and allowed, as `SPENT` heads them."""
    usage, expected = story.job["usage"], dict(story.report.get("estimate") or {})
    tokens = usage["tokens_in"] + usage["tokens_out"]
    spent = {**usage, **story.report["usage"], "tokens": tokens}
    if (n := expected.get("report_queries")) is not None:
        expected["report_queries"] = {"low": n, "typical": n, "ceiling": n}
    walls = story.job["spec"]["budget"]
    asked = PAID if usage["requests"] or usage["recalled"] else ()
    rows = [_spent(key, spent[key], expected.get(key), walls.get(key)) for key in ALWAYS + asked]
    if currency := usage.get("currency") or expected.get("currency"):
        rows = [[row[0].replace("Cost", f"Cost ({currency})"), *row[1:]] for row in rows]
    return rows


def _spent(key: str, amount: float, expected: Object | None, wall: float | None) -> Row:
    written = WRITTEN.get(key, "{:,.0f}".format)
    known = [expected[part] for part in ("low", "typical", "ceiling")] if expected else [None] * 3
    return [NAMES[key], *(DASH if n is None else written(n) for n in [amount, *known, wall])]


def curves(story: Story) -> list[Row]:
    """The baseline and at most `MOST_POINTS` generations, the last among them, as `CURVES`."""
    before, last = story.job["baseline"], len(story.generations) - 1
    picked = sorted({round(last * n / (MOST_POINTS - 1)) for n in range(MOST_POINTS)})
    rows = []
    if before is not None:
        dev = _pair(before, "dev", story.measure)
        rows.append(["Baseline", count(before["queries"]), *dev, DASH, DASH])
    for each in (story.generations[n] for n in picked if 0 <= n <= last):
        dev, best = (_pair(each, side, story.measure) for side in ("dev", "incumbent_dev"))
        rows.append([count(each["number"]), count(each["queries"]), *dev, *best])
    return rows


def _pair(of: Object, side: str, measure: str) -> Row:
    return [loss(of[f"{side}_loss"], measure), percent(of[f"{side}_accuracy"])]


def confusion(story: Story, side: str) -> list[Row]:
    """True labels down, predicted ones across; empty where answers are texts."""
    labels = story.report["labels"]
    table = story.report[side]["confusion"]
    return [[label, *map(count, row)] for label, row in zip(labels, table, strict=True)]


def changed(story: Story, most: int | None = None) -> list[Row]:
    """Example, label, both answers and what became of it; then some that stayed right."""
    report = story.report
    return [
        [
            " · ".join(map(str, row["inputs"].values())),
            row["label"],
            *(_answer(row, side, story.measure) for side in SIDES),
            change(row["baseline_right"], row["tuned_right"]),
        ]
        for row in [*report["changed"][:most], *report.get("kept", [])]
    ]


def shown(story: Story, most: int | None = None) -> str:
    """How many of the test rows `changed` has."""
    n, there = story.report["n_changed"], len(story.report["changed"][:most])
    first = f", the first {count(there)} of them" if there < n else ""
    kept = ", then some that stayed right" if story.report.get("kept") else ""
    return f"{count(n)} of {count(story.report['tuned']['n'])} test rows{first}{kept}"


def _answer(row: Object, side: str, measure: str) -> str:
    answer = row[side] or "(empty)"
    return answer if measure == "accuracy" else f"{answer} ({percent(row[f'{side}_right'])})"
