"""How near the openai backend comes to the most that a server with a limit lets through.

`python -m benchmarks.throughput` starts a server process that answers after a fixed time and
refuses (429) what is above its limit, and sends it requests without telling the client either.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from openai import AsyncOpenAI

from backends.remote.pool import Pool, Request

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
TITLES = {
    "latency_ms": "ms an answer",
    "limit": "most in flight",
    "requests": "requests",
    "rate": "requests/s",
    "possible_rate": "possible",
    "share": "share of it",
    "refused": "refused (429)",
    "plain_client_rate": "openai client, told the limit",
    "cpu_us_per_request": "µs of processor a request",
    "load_average": "load average",
}
NOTE = (
    "A server process on loopback answers after a fixed time and refuses what is above its limit, "
    "which the backend is not told. The rate is that of the whole call, finding the limit "
    "included. The openai client is measured in the same run, as it comes, with as many "
    "requests in flight as the limit."
)
ANSWER = {
    "id": "0",
    "object": "text_completion",
    "model": "toy",
    "choices": [
        {
            "index": 0,
            "text": " good",
            "finish_reason": "length",
            "logprobs": {
                "tokens": [" good"],
                "token_logprobs": [-0.5],
                "top_logprobs": [{f" word{n}": -0.5 - n for n in range(20)}],
            },
        }
    ],
    "usage": {"prompt_tokens": 90, "completion_tokens": 1, "total_tokens": 91},
}
PROMPT = "a film that knows what it wants and takes its time to get there. " * 6


def measure(latency: float, limit: int, seconds: float, concurrency: int = 256) -> dict[str, Any]:
    """One call of `Pool.send` that would take so many seconds at the possible rate.

    The rate is of the whole call, finding the limit included.
    """
    possible = limit / latency
    with _server(latency, limit) as url:
        client_rate = asyncio.run(_client_rate(url, limit, round(possible * min(seconds, 3))))
        refused_before = _told(url)["refused"]
        pool = Pool("toy", [url], concurrency=concurrency)
        requests = [_request(number) for number in range(round(possible * seconds))]
        start, cpu = time.perf_counter(), time.process_time()
        pool.send(requests)
        passed, used = time.perf_counter() - start, time.process_time() - cpu
        pool.close()
        told = _told(url)
    return {
        "latency_ms": 1000 * latency,
        "limit": limit,
        "requests": len(requests),
        "seconds": round(passed, 2),
        "rate": round(len(requests) / passed, 1),
        "possible_rate": round(possible, 1),
        "share": round(len(requests) / passed / possible, 3),
        "refused": told["refused"] - refused_before,
        "cpu_us_per_request": round(1e6 * used / len(requests)),
        "plain_client_rate": round(client_rate, 1),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
    }


async def _client_rate(url: str, concurrency: int, n: int) -> float:
    """Requests a second of the openai client as it comes, told the limit and asked nothing else."""
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        numbers = iter(range(n))

        async def work() -> None:
            for number in numbers:
                await client.completions.create(model="toy", **_body(number))

        start = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(concurrency)))
        return n / (time.perf_counter() - start)


def _body(number: int) -> dict[str, Any]:
    prompt = f"{PROMPT} {number}"
    return {"prompt": prompt, "max_tokens": 1, "logprobs": 20, "temperature": 0.0}


def _request(number: int) -> Request[Mapping[str, float]]:
    return Request("completions", _body(number), _top, tokens_in=120, tokens_out=1)


def _top(answer: Mapping[str, Any]) -> Mapping[str, float]:
    top: Mapping[str, float] = answer["choices"][0]["logprobs"]["top_logprobs"][0]
    return top


class _Connection(asyncio.Protocol):
    """The least that speaks HTTP, so that the client is what is measured."""

    latency, limit, in_flight, refused = 0.0, 0, 0, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._read = transport, b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, rest = self._read.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head.lower())
        n = int(length.group(1)) if length else 0
        if not end or len(rest) < n:
            return
        self._read = rest[n:]
        if head.startswith(b"GET"):
            self._send(b"200 OK", {"refused": _Connection.refused})
        elif _Connection.in_flight >= self.limit:
            _Connection.refused += 1
            self._send(b"429 Too Many Requests", {"error": {"message": "too many at once"}})
        else:
            _Connection.in_flight += 1
            asyncio.get_running_loop().call_later(self.latency, self._answer)

    def _answer(self) -> None:
        _Connection.in_flight -= 1
        self._send(b"200 OK", ANSWER)

    def _send(self, status: bytes, body: Mapping[str, Any]) -> None:
        content = json.dumps(body).encode()
        kind = b"content-type: application/json\r\n"
        head = b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n" % (status, kind, len(content))
        self._transport.write(head + content)


async def _serve(latency: float, limit: int) -> None:
    _Connection.latency, _Connection.limit = latency, limit
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def _server(latency: float, limit: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.throughput", "--serve"]
    command += ["--latency", str(latency), "--limit", str(limit)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()


def _told(url: str) -> dict[str, int]:
    told: dict[str, int] = httpx.get(url, trust_env=False).json()
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    parser.add_argument("--limit", type=int, default=64, help="requests in flight")
    parser.add_argument("--seconds", type=float, default=10.0, help="of sending")
    parser.add_argument("--serve", action="store_true", help="be the server")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(_serve(options.latency, options.limit))
        return
    runs = []
    for _ in range(options.runs):
        runs.append(measure(options.latency, options.limit, options.seconds))
        print(json.dumps(runs[-1]), flush=True)
    _write(runs)


def _write(runs: list[dict[str, Any]]) -> None:
    command = " ".join(["python -m benchmarks.throughput", *sys.argv[1:]])
    (RESULTS / "throughput.json").write_text(
        json.dumps({"command": command, "runs": runs}, indent=1) + "\n"
    )
    lines = [f"`{command}`", "", f"| {' | '.join(TITLES.values())} |", "|" + "---|" * len(TITLES)]
    lines += [f"| {' | '.join(str(run[name]) for name in TITLES)} |" for run in runs]
    (RESULTS / "throughput.md").write_text("\n".join([*lines, "", NOTE, ""]))


if __name__ == "__main__":
    main()
