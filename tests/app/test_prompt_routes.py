"""What a job has found, over HTTP: prompts, answers, reports, figures."""

from typing import Any

import httpx
import pytest
import safetensors.numpy

from tests.servers import COLORS_CSV, Service, spec


def test_a_prompt_as_json_and_as_safetensors(tuning: Service, finished: dict[str, Any]) -> None:
    address = f"/api/jobs/{finished['id']}/prompt"
    described = tuning.get(address)
    assert described["object"] == "prompt"
    assert described["job"] == finished["id"]
    assert (described["kind"], described["text"]) == ("soft", None)
    assert described["shape"] == [1, 2, 384]
    assert described["endpoint"] == "minilm"
    assert described["template"] == "{prompt} {text}"
    assert described["verbalizer"] == {"blue": "blue", "red": "red"}
    for name in ("generation", "dev_loss", "dev_accuracy", "nearest_words"):
        assert described[name] == finished["incumbent"][name]
    answer = tuning.http.get(address, params={"format": "safetensors"})
    assert answer.headers["content-type"] == "application/octet-stream"
    assert f'filename="{finished["id"]}.safetensors"' in answer.headers["content-disposition"]
    [(name, tensor)] = safetensors.numpy.load(answer.content).items()
    assert name == "prompt"
    assert list(tensor.shape) == described["shape"]
    [row] = tuning.rows("SELECT content FROM prompts WHERE job_id = ?", finished["id"])
    scored = safetensors.numpy.load(row["content"])["prompt"]
    assert tensor.tobytes() == scored.tobytes()  # the very numbers


def test_a_soft_prompt_has_no_text(tuning: Service, finished: dict[str, Any]) -> None:
    answer = tuning.http.get(f"/api/jobs/{finished['id']}/prompt", params={"format": "text"})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == ("format", "wrong_format")
    assert "soft prompt" in error["message"]


def ask(service: Service, job_id: str, inputs: list[Any], **more: Any) -> httpx.Response:
    body = {"inputs": inputs, **more}
    return service.http.post(f"/api/jobs/{job_id}/predict", json=body)


def test_predict_takes_texts_and_objects(tuning: Service, finished: dict[str, Any]) -> None:
    body = ask(tuning, finished["id"], ["sky 1 is blue", {"text": "sky 1 is blue"}]).json()
    assert (body["object"], body["has_more"], len(body["data"])) == ("list", False, 2)
    first, second = body["data"]
    assert first == second
    assert first["object"] == "prediction"
    assert first["baseline"] is None
    assert set(first["probabilities"]) == {"blue", "red"}
    assert sum(first["probabilities"].values()) == pytest.approx(1)
    assert first["label"] == max(first["probabilities"], key=first["probabilities"].__getitem__)


def test_predict_answers_as_the_report_did(tuning: Service, finished: dict[str, Any]) -> None:
    """The same rows as the test split, so the same answers: of the tuned prompt and the other."""
    rows = tuning.get("/api/datasets/colors/rows", split="test")["data"]
    answers = ask(tuning, finished["id"], [row["inputs"] for row in rows], baseline=True).json()
    report = tuning.get(f"/api/jobs/{finished['id']}/report")
    for side, labels in (
        ("tuned", [each["label"] for each in answers["data"]]),
        ("baseline", [each["baseline"]["label"] for each in answers["data"]]),
    ):
        right = sum(label == row["label"] for label, row in zip(labels, rows, strict=True))
        assert right / len(rows) == report[side]["accuracy"]


@pytest.mark.parametrize("wrong", [{"txt": "a"}, {"text": "a", "title": "b"}, {}])
def test_predict_wants_the_columns_of_the_template(
    wrong: dict[str, str], tuning: Service, finished: dict[str, Any]
) -> None:
    answer = ask(tuning, finished["id"], ["fine", wrong])
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (422, "inputs.1")
    assert error["code"] == "wrong_columns"
    assert "wanted an object with the columns text" in error["message"]


def test_two_columns_need_an_object(tuning: Service) -> None:
    header, *lines = COLORS_CSV.strip().split("\n")
    tuning.upload("\n".join([f"title,{header}", *(f"seen,{line}" for line in lines)]), "titled")
    job_id = tuning.submit(spec(generations=1, dataset="titled"))
    assert tuning.ended(job_id)["status"] == "succeeded"
    answer = ask(tuning, job_id, ["a text"])
    assert answer.status_code == 422
    assert "columns title, text" in answer.json()["error"]["message"]
    assert ask(tuning, job_id, [{"title": "seen", "text": "the sky"}]).status_code == 200


def test_a_prompt_outlives_its_dataset(tuning: Service) -> None:
    """And asks only for the columns that its template shows."""
    header, *lines = COLORS_CSV.strip().split("\n")
    content = "\n".join([f"title,{header}", *(f"seen,{line}" for line in lines)])
    tuning.upload(content, "passing")
    task = {"template": "{prompt} {text}"}
    job_id = tuning.submit(spec(generations=1, dataset="passing", task=task))
    assert tuning.ended(job_id)["status"] == "succeeded"
    before = ask(tuning, job_id, ["the sky", {"text": "a rose"}], baseline=True).json()
    assert tuning.http.delete("/api/datasets/passing").status_code == 204
    assert ask(tuning, job_id, ["the sky", {"text": "a rose"}], baseline=True).json() == before
    assert len(before["data"]) == 2


def test_the_report_says_all_that_was_measured(tuning: Service, finished: dict[str, Any]) -> None:
    report = tuning.get(f"/api/jobs/{finished['id']}/report")
    assert (report["object"], report["job"]) == ("report", finished["id"])
    assert (report["metric"], report["split"]) == ("accuracy", "test")
    assert report["test"] == "exact McNemar"
    assert report["labels"] == ["blue", "red"]
    for name in ("outcome", "message", "p_value"):
        assert report[name] == finished["result"][name]
    for side in ("baseline", "tuned"):
        confusion = report[side]["confusion"]
        assert [sum(row) for row in confusion] == [6, 6]
        right = confusion[0][0] + confusion[1][1]
        assert report[side]["accuracy"] == right / report[side]["n"]
        assert report[side]["loss"] > 0
    assert report["baseline"]["prompt"] == ""
    assert report["tuned"]["kind"] == "soft"
    assert report["tuned"]["generation"] == finished["incumbent"]["generation"]
    assert {"python", "torch", "cma"} <= report["versions"].keys()
    assert len(report["changed"]) >= report["fixed"] + report["broken"]
    assert report["usage"] == {
        "queries": finished["progress"]["queries"],
        "report_queries": 24,
        "seconds": finished["progress"]["seconds"],
    }


@pytest.mark.parametrize("name", ["loss", "accuracy"])
def test_a_figure_is_plotlys(name: str, tuning: Service, finished: dict[str, Any]) -> None:
    address = f"/api/jobs/{finished['id']}/figures/{name}"
    light, dark = (tuning.get(address, theme=theme) for theme in ("light", "dark"))
    assert set(light) >= {"data", "layout"}
    assert light["data"]
    assert light["layout"] != dark["layout"]
    assert tuning.get(address) == light


def test_a_figure_before_the_first_generation(idle: Service, waiting: str) -> None:
    assert set(idle.get(f"/api/jobs/{waiting}/figures/loss")) >= {"data", "layout"}
