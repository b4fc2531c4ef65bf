"""The API page: every route of the real service, with what it takes, in a form to be read."""

import html

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.servers import Service
from tests.web.browser import Complaints, close, width_of
from web.reference import Operation, sections

SCHEMAS = {
    "Job": {
        "properties": {
            "dataset": {"type": "string", "description": "Id of a dataset."},
            "seed": {"type": "integer", "minimum": 0, "exclusiveMaximum": 4096, "default": 0},
            "shown": {"type": "boolean", "default": False},
            "state": {"anyOf": [{"$ref": "#/components/schemas/State"}, {"type": "null"}]},
            "name": {"type": "string", "default": ""},
        },
        "required": ["dataset"],
        "examples": [{"dataset": "tickets"}],
    },
    "State": {"enum": ["open", "closed"], "type": "string", "description": "How it moves."},
    "Form": {"properties": {"file": {"type": "string"}}, "required": ["file"]},
}


def post(media: str, name: str, **more: object) -> dict[str, object]:
    content = {"schema": {"$ref": f"#/components/schemas/{name}"}, **more}
    return {"post": {"tags": ["jobs"], "requestBody": {"content": {media: content}}}}


def only(paths: dict[str, object]) -> Operation:
    [[operation]] = sections({"paths": paths, "components": {"schemas": SCHEMAS}}).values()
    return operation


def test_operations_stand_under_their_tag_in_order() -> None:
    paths = {
        "/b": {"get": {"tags": ["second"], "summary": "Read"}, "post": {"tags": ["second"]}},
        "/a": {"get": {}},
        "/c": {"delete": {"tags": ["second"], "description": "Gone."}},
    }
    found = sections({"paths": paths})
    assert list(found) == ["second", "other"]
    shown = [(one["method"], one["path"]) for one in found["second"]]
    assert shown == [("GET", "/b"), ("POST", "/b"), ("DELETE", "/c")]
    assert found["second"][0]["summary"] == "Read"
    assert found["second"][2]["description"] == "Gone."


def test_a_body_is_told_field_by_field() -> None:
    told = only({"/jobs": post("application/json", "Job")})
    rows = [
        (one["name"], one["place"], one["default"], one["meaning"]) for one in told["parameters"]
    ]
    assert rows == [
        ("dataset", "body", "required", "Id of a dataset"),
        ("seed", "body", "0", "from 0 below 4,096"),
        ("shown", "body", "false", "true or false"),
        ("state", "body", "", "open, closed"),
        ("name", "body", "", "text"),
    ]
    assert told["example"] == '{\n  "dataset": "tickets"\n}'


def test_a_form_has_its_fields_and_its_example() -> None:
    example = {"file": "a,b\n", "shots": 1}
    told = only({"/datasets": post("multipart/form-data", "Form", example=example)})
    assert [one["place"] for one in told["parameters"]] == ["form"]
    assert told["example"] == "file='a,b\\n'\nshots=1"


def test_parameters_of_path_and_query() -> None:
    limit = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1, "default": 50}
    given = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "limit", "in": "query", "required": False, "schema": limit},
    ]
    told = only({"/{id}": {"get": {"parameters": given}}})
    assert told["parameters"] == [
        {"name": "id", "place": "path", "default": "required", "meaning": "text"},
        {"name": "limit", "place": "query", "default": "50", "meaning": "from 1"},
    ]


def test_every_route_of_the_service_is_listed_and_described(real: Service) -> None:
    document = real.get("/api/openapi.json")
    told = [operation for group in sections(document).values() for operation in group]
    assert {(one["method"], one["path"]) for one in told} == {
        (verb.upper(), path) for path, verbs in document["paths"].items() for verb in verbs
    }
    page = html.unescape(real.http.get("/api/docs").text)
    for one in told:
        assert one["summary"] and one["summary"] in page, one
        assert one["path"] in page
        assert all(field["meaning"] for field in one["parameters"]), one
        takes_a_body = any(field["place"] in ("body", "form") for field in one["parameters"])
        assert bool(one["example"]) == takes_a_body, one


@pytest.mark.browser
@pytest.mark.parametrize("width", [1400, 390])
def test_an_operation_opens_by_keyboard(chromium: Browser, real: Service, width: int) -> None:
    complaints = Complaints()
    page: Page = chromium.new_page(viewport={"width": width, "height": 900})
    complaints.listen(page, real.url)
    page.goto(f"{real.url}/api/docs", wait_until="domcontentloaded")
    expect(page.get_by_role("link", name="API", exact=True)).to_have_attribute(
        "aria-current", "page"
    )
    submit = page.locator(".operation", has_text="Submit a tuning job")
    submit.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(submit.locator("table")).to_contain_text("id of a dataset")
    expect(submit.locator("pre")).to_be_visible()
    assert width_of(page) <= width
    close(page.context)
    assert complaints.unexpected() == []
