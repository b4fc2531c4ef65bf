"""Real OpenAI-compatible servers as child processes, for as long as a `with` lasts."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.conftest import eventually
from tests.servers import free_port
from tests.tiny_llama import TinyLlama

TRIES = 3  # a free port may be taken by another before the server has it
VLLM_PYTHON = "GRADLESS_TEST_VLLM_PYTHON"  # python of an environment with vLLM in it
_LLAMA = """
import sys
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.model_alias = {"tiny"}
params.hostnames = ["127.0.0.1"]
params.port = 0
params.n_ctx, params.n_parallel = 8192, 4
params.cpuparams.n_threads = 1
params.warmup = False
if sys.argv[2]:
    params.api_keys = [sys.argv[2]]
server = xllamacpp.Server(params)
print("address", server.listening_address, flush=True)
sys.stdin.read()
"""  # ends when our end of its standard input is closed, whatever becomes of us


@dataclass(frozen=True)
class ModelServer:
    base_url: str
    model: str  # as the server names it


@contextmanager
def llama_server(tiny: TinyLlama, key: str = "") -> Iterator[ModelServer]:
    """llama.cpp's own server; ready in a tenth of a second."""
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            [sys.executable, "-c", _LLAMA, tiny.gguf, key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert child.stdout is not None
            lines = (line.split() for line in child.stdout)
            address = next((words[1] for words in lines if words[:1] == ["address"]), None)
            assert address, "llama.cpp ended before it listened"
            yield ModelServer(f"{address}/v1", "tiny")
        finally:
            _end(child)


@contextmanager
def transformers_server(tiny: TinyLlama) -> Iterator[ModelServer]:
    """`transformers serve`, which takes ten seconds to start."""
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "hub").mkdir()
        command = [str(Path(sys.executable).with_name("transformers")), "serve", str(tiny.folder)]
        command += ["--device", "cpu", "--host", "127.0.0.1"]
        environment = {"HF_HOME": home, "OMP_NUM_THREADS": "1"}
        with _listening(command, environment) as base_url:
            yield ModelServer(base_url, str(tiny.folder))


@contextmanager
def vllm_server(tiny: TinyLlama) -> Iterator[ModelServer]:
    """vLLM on the CPU, from the environment that VLLM_PYTHON names; two quiet minutes."""
    command = [os.environ[VLLM_PYTHON], "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", str(tiny.folder), "--served-model-name", "tiny"]
    command += ["--host", "127.0.0.1", "--dtype", "float32", "--max-model-len", "256"]
    command += ["--enforce-eager", "--max-num-seqs", "32", "--enable-prompt-embeds"]
    command += ["--distributed-executor-backend", "uni"]
    environment = {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "TORCH_COMPILE_DISABLE": "1",
        "OMP_NUM_THREADS": "1",
    }
    with _listening(command, environment, seconds=600) as base_url:
        yield ModelServer(base_url, "tiny")


@contextmanager
def _listening(
    command: list[str], environment: Mapping[str, str], seconds: float = 60
) -> Iterator[str]:
    """The base URL of a server that takes `--port`, once its /health is good."""
    for attempt in range(1, TRIES + 1):
        port = free_port()
        with tempfile.TemporaryFile() as log:
            child = subprocess.Popen(
                [*command, "--port", str(port)],
                env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                if eventually(lambda c=child, p=port: _state(c, p), seconds) == "ready":
                    yield f"http://127.0.0.1:{port}/v1"
                    return
                log.seek(0)
                assert attempt < TRIES, log.read().decode(errors="replace")[-4000:]
            finally:
                _end(child)


def _state(child: subprocess.Popen, port: int) -> str:
    """ "ready", "ended", or nothing yet."""
    if child.poll() is not None:
        return "ended"
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/health", timeout=5, trust_env=False)
        return "ready" if answer.status_code == 200 else ""
    except httpx.TransportError:
        return ""


def _end(child: subprocess.Popen) -> None:
    """It is gone when this returns."""
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
