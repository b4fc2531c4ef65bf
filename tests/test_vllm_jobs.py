"""A whole BBT job on a server that takes embeddings: vLLM over REST, where it is installed."""

import os

import pytest

from tests.model_servers import VLLM_PYTHON, vllm_server
from tests.servers import Service
from tests.test_api_jobs import FILM, answers, films_csv
from tests.tiny_llama import tiny_llama

BBT = {"name": "bbt", "preset": "fast", "intrinsic_dim": 8, "population_size": 8}


@pytest.mark.slow
@pytest.mark.skipif(
    VLLM_PYTHON not in os.environ, reason=f"{VLLM_PYTHON} names no Python that has vLLM"
)
def test_soft_prompts_are_tuned_and_served_through_vllm(tmp_path):
    folder = tiny_llama().folder
    service = Service(tmp_path, {"threads": "1", "models_dir": str(folder.parent)})
    with vllm_server(tiny_llama()) as server:
        try:
            service.start().upload(films_csv(), "films")
            options = {"base_url": server.base_url, "embeddings": folder.name}
            body = {"id": "tiny", "kind": "openai", "model": server.model, "options": options}
            answer = service.http.post("/api/endpoints", json=body, timeout=120)
            assert answer.status_code == 201, answer.text
            assert "soft_prompts" in answer.json()["capabilities"]
            job = service.ended(service.submit({**FILM, "method": BBT}))
            assert job["status"] == "succeeded", job["error"]
            assert (job["incumbent"]["kind"], job["usage"]["requests"] > 0) == ("soft", True)
            said = answers(service, job["id"])
            right = sum(label == answer["label"] for label, answer in said) / len(said)
            assert right == job["result"]["tuned"]["accuracy"], "the served prompt is the tuned one"
        finally:
            service.close()
