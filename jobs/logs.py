"""The log: lines for people, or JSON objects for programs. Says nothing itself."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

FORM_VARIABLE = "GRADLESS_LOG"  # the service's setting, handed on by environment
TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"
JOB_ID = re.compile(r"\bjob_[0-9a-f]{20}\b")


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, message; request and job where there is one.

    A record's `facts` (of `extra`) become fields; a job is found by its id in the message.
    """

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
        }
        if job := JOB_ID.search(message):
            line["job_id"] = job[0]
        line |= getattr(record, "facts", {})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(form: str) -> None:
    """Everything from INFO up goes to standard error: as objects where `form` is json."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)
