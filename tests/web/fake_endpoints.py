"""The fake /api's routes about endpoints, by the contract, over the state in fake_api."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tests.web import endpoint_samples
from tests.web.fake_api import FakeApi, Object, Refused


def endpoint_routes(fake: FakeApi) -> APIRouter:
    router = APIRouter()

    def known(key: str) -> Object:
        if key not in fake.endpoints:
            raise Refused(404, f"no endpoint {key!r}", "endpoint", "no_such_endpoint")
        return fake.endpoints[key]

    @router.get("/endpoints")
    def endpoints() -> Object:
        return {"object": "list", "data": list(fake.endpoints.values()), "has_more": False}

    @router.post("/endpoints", status_code=201)
    async def add(request: Request) -> Object:
        body = await request.json()
        fake.posted.append(body)
        if fake.refusal:
            raise fake.refusal
        fake.endpoints[body["id"]] = endpoint_samples.hosted(body["id"])
        return fake.endpoints[body["id"]]

    @router.get("/endpoints/{key}")
    def endpoint(key: str) -> Object:
        return known(key)

    @router.post("/endpoints/{key}/probe")
    def probe(key: str) -> Object:
        if fake.refusal:
            raise fake.refusal
        known(key)["probed"] = endpoint_samples.probed(server="llamacpp b10000", rung="choice")
        return known(key)

    @router.delete("/endpoints/{key}", status_code=204, response_class=Response)
    def delete(key: str) -> None:
        if fake.refusal:
            raise fake.refusal
        del fake.endpoints[known(key)["id"]]

    return router
