"""Reports: files to keep of jobs that no quick test can run, and the page of one."""

import html
from typing import Any

import httpx
import pytest

from tests.web import samples, text_samples
from tests.web.conftest import Site
from tests.web.test_figures import rounds
from tests.web.test_markdown import HOSTILE, joined
from web.report_facts import MOST_POINTS, Story, changed, curves, prompts, shown, spending
from web.report_page import FORMS, MOST_ROWS, markdown

RANGE = {"low": 1_000, "typical": 20_000, "ceiling": 40_000}


def story(kind: Any = samples, n: int = 3, **changes: Any) -> Story:
    """Of a job that has succeeded with a text; by `changes` to its report."""
    history, result = rounds(n), samples.result()
    whole = kind.job("job_1", "succeeded") | {
        "baseline": samples.baseline(),
        "incumbent": samples.incumbent(history[-1], "text"),
        "result": result,
        "finished_at": samples.NOW,
    }
    report = kind.report("job_1", result) | changes
    report["tuned"]["kind"] = "text"
    return Story(report, whole, history, None, "", "1.2.3")


def rows(found: list[list[str]]) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in found}


def test_money_and_tokens_stand_beside_what_was_expected() -> None:
    paid = story(estimate={"queries": RANGE, "tokens": RANGE, "cost": None, "currency": "EUR"})
    paid = Story(paid.report, {**paid.job, **samples.on_api()}, [], None, "", "")
    found = rows(spending(paid))
    assert found["Tokens"] == ["417,666", "1,000", "20,000", "40,000", "900,000"]
    assert found["Cost (EUR)"] == ["0.0434", "–", "–", "–", "1.5000"]
    assert found["Remembered answers"][0] == "919"
    assert found["Queries on test"] == ["720", "–", "–", "–", "–"], "nothing was expected of it"


def test_a_job_of_before_estimates_has_none() -> None:
    for estimate in ({}, {"estimate": None}):
        found = rows(spending(story(**estimate)))
        assert found["Queries on train and dev"] == ["38,496", "–", "–", "–", "40,000"]
        assert list(found) == ["Queries on train and dev", "Queries on test", "Seconds of tuning"]


@pytest.mark.parametrize("n", [1, 2, MOST_POINTS, 1000])
def test_curves_keep_both_ends(n: int) -> None:
    before, first, *rest = curves(story(n=n))
    assert before[:2] == ["Baseline", "192"]
    assert first[0] == "1"
    assert [first, *rest][-1][0] == f"{n:,}"
    assert len(rest) == min(n, MOST_POINTS) - 1


def test_many_examples_are_counted() -> None:
    [one, *_] = samples.report("job_1", samples.result())["changed"]
    many = story(changed=[one] * 300, n_changed=345, kept=[one])
    assert len(changed(many, MOST_ROWS)) == MOST_ROWS + 1
    assert shown(many, MOST_ROWS).startswith("345 of 360 test rows, the first 100 of them, then")
    assert "the first 300 of them" in shown(many)


def test_a_graded_answer_has_its_grade() -> None:
    graded = story(text_samples)
    assert graded.answers[1] == "Target"
    empty = changed(graded)[0]
    assert empty[3:] == ["(empty) (0.0\N{NO-BREAK SPACE}%)", "broken"]
    for form in FORMS.values():
        text = form.write(graded)
        assert "Confusion" not in text
        assert "ROUGE-L" in text
        assert "0.300" in text


@pytest.mark.parametrize("kind", ["soft", "pixels", "ensemble", "thinking"])
def test_a_prompt_without_words_says_so(kind: str) -> None:
    known = story()
    known.report["tuned"]["kind"] = kind
    known.job["incumbent"]["text"] = None
    assert prompts(known)[1][1] == ""
    for form in FORMS.values():
        assert f"“{kind}”" in form.write(known)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_tuned_text_is_shown_as_it_is(text: str) -> None:
    known = story()
    known.job["incumbent"]["text"] = text
    assert f"\n{text}\n```" in markdown(known)
    page = FORMS["html"].write(known)
    assert f"<blockquote>{text}</blockquote>" in html.unescape(page)
    assert "<script" not in page


def test_no_improvement_is_said_plainly() -> None:
    result = samples.result("no_improvement")
    known = story(outcome=result["outcome"], message=result["message"])
    for form in FORMS.values():
        text = joined(form.write(known))
        assert "No improvement" in text
        assert "Keep the prompt you have" in text


def test_the_page_of_a_report_is_whole_as_it_is_served(site: Site) -> None:
    job_id = site.stage.job(samples.SCRIPT)
    site.stage.advance(job_id, 3)
    site.stage.finish(job_id)
    report = site.stage.get(f"/api/jobs/{job_id}/report")
    page = httpx.get(f"{site.url}/jobs/{job_id}/report").text
    assert samples.SCRIPT not in page and html.escape(samples.SCRIPT) in page
    assert html.escape(report["message"]) in page
    for row in [*report["changed"], *report["kept"]]:
        assert row["inputs"]["text"] in html.unescape(page)
    for side in ("baseline", "tuned"):
        assert f'data-side="{side}"' in page
    for kept in ("html", "markdown"):
        assert f"/report?format={kept}" in page
    assert page.count("format=svg") == 2, "its figures, where no script draws them"


def test_a_job_without_a_report_says_so(site: Site) -> None:
    job_id = site.stage.job()
    answer = httpx.get(f"{site.url}/jobs/{job_id}/report")
    assert answer.status_code == 409
    assert "the report comes when it has succeeded" in answer.text
