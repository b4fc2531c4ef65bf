import jobs.opening
from jobs.models import EndpointRow
from tests.toy import ToyBackend


def test_a_process_opens_each_endpoint_once(monkeypatch):
    opened = []

    def open_backend(kind, model, probed, **options):
        opened.append((kind, model, options))
        return ToyBackend()

    monkeypatch.setattr(jobs.opening, "open_backend", open_backend)
    jobs.opening.close_endpoints()
    try:
        options = {"scale": 2.0, "threads": 1}
        row = EndpointRow(id="a", kind="encoder", model="minilm", options=options)
        turned = EndpointRow(
            id="b", kind="encoder", model="minilm", options={"threads": 1, "scale": 2.0}
        )
        other = EndpointRow(id="c", kind="encoder", model="minilm", options={})
        assert jobs.opening.open_endpoint(row) is jobs.opening.open_endpoint(turned)
        assert jobs.opening.open_endpoint(row) is not jobs.opening.open_endpoint(other)
        assert opened == [("encoder", "minilm", options), ("encoder", "minilm", {})]
    finally:
        jobs.opening.close_endpoints()
