"""`python -m jobs`: one runner, started by the service; SIGTERM hands its job back.

The database's address comes in the environment variable GRADLESS_DATABASE_URL.
"""

import argparse
import os
import signal
import threading

from jobs import logs
from jobs.database import Database
from jobs.runner import Runner
from jobs.supervisor import DATABASE_VARIABLE
from jobs.tracing import open_tracing

WATCH = 0.5  # seconds between two looks at whether the service still lives
NICENESS = 5  # the service answers first; a search can wait a millisecond


def main() -> None:
    options = _options()
    logs.configure(os.environ.get(logs.FORM_VARIABLE, "text"))
    os.nice(NICENESS)
    database = Database(os.environ[DATABASE_VARIABLE])
    tracing = open_tracing(options.name, os.environ)
    limits = options.most_running, options.most_of_project
    runner = Runner(database, options.name, *limits, tracing)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: runner.stop.set())
    if options.parent:
        threading.Thread(target=_follow, args=(options.parent, runner), daemon=True).start()
    runner.work()
    tracing.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jobs", description=__doc__)
    parser.add_argument("--name", required=True, help="unique among all runners there ever were")
    parser.add_argument("--most-running", type=int, default=0, help="jobs at once; 0: no limit")
    parser.add_argument("--most-of-project", type=int, default=0, help="as that, of each project")
    parser.add_argument("--parent", type=int, help="process id to follow: its end is ours")
    return parser.parse_args()


def _follow(parent: int, runner: Runner) -> None:
    """A service that was killed cannot say goodbye: its runners stop when it has gone."""
    while os.getppid() == parent:
        if runner.stop.wait(WATCH):
            return
    runner.stop.set()


if __name__ == "__main__":
    main()
