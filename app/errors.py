"""Every refusal in one shape: exception -> status, type and code, in one table."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from backends.base import BackendError, BackendRefused, BackendUnavailable
from backends.registry import UnknownBackend
from jobs.admission import Refused
from jobs.catalog import BadId, BuiltIn, IdTaken, InUse, NoSuchDataset, NoSuchEndpoint
from jobs.datasets import BadDataset
from jobs.endpoints import BadAddress, BadKeyVariable, Unreachable
from jobs.keys import NoSuchKey
from jobs.names import NoSuchModel, NoSuchName, NoSuchVersion, NothingEarlier, NothingToPromote
from jobs.posting import BadUrl
from jobs.projects import NoSuchProject
from jobs.readers import BadFile
from jobs.repeats import InFlight, OtherRequest
from jobs.store import AlreadyEnded, NoSuchJob, NotEnded, NotPaused
from jobs.transfers import RowsGone
from jobs.webhooks import NoSuchWebhook
from web.pages import not_found_page

logger = logging.getLogger(__name__)


class ErrorBody(BaseModel):
    """OpenAI's four fields: what was given, what was wanted and what to do, in `message`."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorEnvelope(BaseModel):
    """The body of every answer from 400 up."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "message": "no dataset 'ticket'; did you mean 'tickets'? ...",
                        "type": "not_found_error",
                        "param": None,
                        "code": "no_such_dataset",
                    }
                }
            ]
        }
    )
    error: ErrorBody


class NoPromptYet(Exception):
    """The job has no incumbent: its first generation has not ended."""


class NoReportYet(Exception):
    """The job has not ended well: there is nothing to compare."""


class NotReady(Exception):
    """The service could not work on a job now."""


class WrongFormat(ValueError):
    """The prompt cannot be written in the format asked for."""


class BadField(ValueError):
    """A field that only a route can check; `param` names it."""

    def __init__(self, param: str, message: str, code: str) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class BadName(BadId):
    """A name that cannot be one: of a dataset or a prompt, whose field is `name`."""

    param = "name"


class NameTaken(IdTaken):
    """Another dataset has this name."""

    param = "name"


class BodyTooLarge(HTTPException):
    """More bytes than the route takes; an HTTPException, because FastAPI lets those through."""

    code = "too_large"

    def __init__(self, limit: int, param: str | None) -> None:
        message = f"the body is larger than {limit / 1e6:g} MB, the most this route takes"
        super().__init__(413, message)
        self.limit, self.param = limit, param


class Answer(NamedTuple):
    """How an exception is told; `param` and `code` of the exception itself come first."""

    status: int
    type: str
    code: str
    param: str | None = None


REFUSALS = (400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 503)  # of any route
INVALID, MISSING, CONFLICT = "invalid_request_error", "not_found_error", "conflict_error"

ANSWERS: dict[type[Exception], Answer] = {
    NoSuchJob: Answer(404, MISSING, "no_such_job"),
    NoSuchEndpoint: Answer(404, MISSING, "no_such_endpoint", "endpoint"),
    NoSuchDataset: Answer(404, MISSING, "no_such_dataset", "dataset"),
    NoSuchKey: Answer(404, MISSING, "no_such_key"),
    NoSuchProject: Answer(404, MISSING, "no_such_project", "x-gradless-project"),
    NoSuchWebhook: Answer(404, MISSING, "no_such_webhook"),
    NoSuchModel: Answer(404, INVALID, "model_not_found", "model"),  # as OpenAI says it
    NoSuchName: Answer(404, MISSING, "no_such_name", "name"),
    NoSuchVersion: Answer(404, MISSING, "no_such_version", "version"),
    NothingToPromote: Answer(409, CONFLICT, "no_prompt_yet", "job"),
    NothingEarlier: Answer(409, CONFLICT, "nothing_earlier", "version"),
    AlreadyEnded: Answer(409, CONFLICT, "already_ended"),
    RowsGone: Answer(409, CONFLICT, "rows_gone"),
    NotPaused: Answer(409, CONFLICT, "not_paused"),
    NotEnded: Answer(409, CONFLICT, "not_ended"),
    InFlight: Answer(409, CONFLICT, "in_flight", "idempotency-key"),
    OtherRequest: Answer(422, INVALID, "key_reused", "idempotency-key"),
    NoPromptYet: Answer(409, CONFLICT, "no_prompt_yet"),
    NoReportYet: Answer(409, CONFLICT, "no_report_yet"),
    IdTaken: Answer(409, CONFLICT, "id_taken", "id"),
    BuiltIn: Answer(409, CONFLICT, "built_in"),
    InUse: Answer(409, CONFLICT, "in_use"),
    BadId: Answer(422, INVALID, "bad_id", "id"),
    BadFile: Answer(422, INVALID, "bad_file", "file"),
    BadDataset: Answer(422, INVALID, "bad_dataset"),
    Unreachable: Answer(422, INVALID, "endpoint_unreachable"),
    BadAddress: Answer(422, INVALID, "bad_address"),
    BadUrl: Answer(422, INVALID, "bad_address", "url"),
    BadKeyVariable: Answer(422, INVALID, "bad_option"),
    BadField: Answer(422, INVALID, "bad_field"),
    Refused: Answer(422, INVALID, "refused"),
    WrongFormat: Answer(422, INVALID, "wrong_format", "format"),
    UnknownBackend: Answer(422, INVALID, "unknown_kind", "kind"),
    BackendRefused: Answer(422, INVALID, "backend_refused"),
    BackendUnavailable: Answer(503, "service_error", "backend_unavailable"),
    NotReady: Answer(503, "service_error", "not_ready"),
    BackendError: Answer(500, "service_error", "backend_error"),
}


def add_error_handlers(app: FastAPI) -> None:
    for kind in ANSWERS:
        app.add_exception_handler(kind, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def error_response(
    status: int, message: str, type_: str, param: str | None, code: str | None
) -> JSONResponse:
    """The envelope; a conflict also tells OpenAI's clients that asking again will not help."""
    body = {
        "message": _encodable(message),
        "type": type_,
        "param": param and _encodable(param),
        "code": code,
    }
    headers = {401: {"www-authenticate": "Bearer"}, 409: {"x-should-retry": "false"}}
    return JSONResponse({"error": body}, status, headers.get(status))


def unforeseen(method: str, path: str, error: Exception) -> JSONResponse:
    """What the service did not see coming: told in its log, not to the caller."""
    logger.exception("unforeseen: %s %s", method, path, exc_info=error)
    message = "something broke in the service; its log has the trace under this request id"
    return error_response(500, message, "service_error", None, type(error).__name__)


def _encodable(text: str) -> str:
    """A half letter (a lone surrogate) that somebody sent must not break its own refusal."""
    return text.encode(errors="backslashreplace").decode()


async def _known(_: Request, error: Exception) -> JSONResponse:
    return answer_to(error)


def answer_to(error: Exception) -> JSONResponse:
    """As the table says; raises StopIteration for an exception that is not in it."""
    kind = next(kind for kind in type(error).__mro__ if kind in ANSWERS)
    answer = ANSWERS[kind]
    param = getattr(error, "param", answer.param)
    code = getattr(error, "code", answer.code)
    message = error.args[0] if error.args else str(error)  # str(KeyError) would add quotes
    return error_response(answer.status, str(message), answer.type, param, code)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", first["msg"])
        return error_response(400, f"the body is not JSON: {reason}", INVALID, None, "bad_json")
    return error_response(422, _sentence(first), INVALID, _param(first), _code(first))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status, path = error.status_code, request.url.path
    if status == 404 and not path.startswith("/api") and _is_browser(request):
        return not_found_page(request)
    headers = dict(error.headers or {})
    if status == 405:
        headers["Allow"] = _allowed(request) or headers["Allow"]
    message = {
        404: f"no route {request.method} {path}; /api/openapi.json lists them all",
        405: f"no {request.method} for {path}; there is {headers.get('Allow')}",
    }.get(status, str(error.detail))
    if status == 400 and error.__cause__ is not None:
        message = f"the body is not JSON: {_why_no_json(error.__cause__)}"
    code = getattr(error, "code", HTTPStatus(status).name.lower())
    type_ = MISSING if status == 404 else INVALID
    answer = error_response(status, message, type_, getattr(error, "param", None), code)
    answer.headers.update(headers)
    return answer


def _allowed(request: Request) -> str:
    """Every verb of a path; starlette's own answer is those of the first route on it."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    asked = request.url.path
    if asked in paths:  # /api/jobs/archive is no job, though a job's path has its form
        matching = [paths[asked]]
    else:
        matching = [v for path, v in paths.items() if compile_path(path)[0].match(asked)]
    return ", ".join(sorted(verb.upper() for verbs in matching for verb in verbs))


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _why_no_json(error: BaseException) -> str:
    """Why a body could not even be parsed: not its syntax, that is told elsewhere."""
    if isinstance(error, UnicodeDecodeError):
        byte = error.object[error.start]
        return f"byte 0x{byte:02x} at {error.start} is not UTF-8"
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)


def _param(error: dict[str, Any]) -> str | None:
    """`method.population_size`: where in the body, query or path, without the tags of unions."""
    path = [str(part) for part in _location(error["loc"])]
    if "field" in (context := error.get("ctx") or {}):
        path.append(str(context["field"]))
    return ".".join(path) or None


def _location(loc: Sequence[Any]) -> list[Any]:
    return [part for part in loc[1:] if not (isinstance(part, str) and "[" in part)]


def _code(error: dict[str, Any]) -> str:
    return "missing_field" if error["type"] == "missing" else str(error["type"])


def _given(error: dict[str, Any]) -> Any:
    """What was refused: of a model that names one of its fields, that field's value."""
    given, field = error.get("input"), (error.get("ctx") or {}).get("field")
    return given.get(field) if isinstance(given, dict) and field is not None else given


def _sentence(error: dict[str, Any]) -> str:
    """What was wanted, and what was given if it is short enough to show."""
    param, message = _param(error), str(error["msg"])
    if error["type"] == "missing":
        return f"{param}: this field is needed" if param else "a body is needed; this one is empty"
    if error["type"].startswith("unknown_"):
        return message
    if param is None and isinstance(error.get("input"), bytes):
        return "the body is not JSON by its header; wanted 'Content-Type: application/json'"
    given = repr(_given(error))
    shown = given if len(given) <= 100 else f"{given[:97]}..."
    return f"{param or 'the body'}: {message[:1].lower()}{message[1:]}; got {shown}"
