"""Messages to webhooks: what is written into the outbox, signed, sent, repeated and given up."""

import asyncio
import base64
import hashlib
import hmac
import json

import openai
import pytest
from openai.types.webhooks import FineTuningJobCancelledWebhookEvent

from jobs.models import Status
from jobs.posting import BadUrl
from jobs.sender import Sender
from jobs.signing import signed_headers
from jobs.store import Ending, end_job
from jobs.webhook_rows import DeliveryStatus
from jobs.webhooks import AT_ONCE, EVENT_TYPES, LEASE, WAITS, NoSuchWebhook, Webhooks
from tests.receiver import receiving

URL = "http://127.0.0.1:9/hook"


@pytest.fixture
def receiver():
    with receiving() as server:
        yield server


@pytest.fixture
def webhooks(database):
    return Webhooks(database)


@pytest.fixture
def outbox(webhooks):
    """Makes a round: what is due at an instant is sent."""

    def go(hook, at=None):
        webhooks.collect()
        due = webhooks.claim(at=at)
        sender = Sender(webhooks)

        async def deliver():
            await asyncio.gather(*(sender._deliver(*each) for each in due))

        asyncio.run(deliver())
        return webhooks.deliveries(hook.id)

    return go


def test_an_end_is_told_and_the_openai_client_verifies_it(
    webhooks, receiver, store, enqueue, outbox
):
    hook = webhooks.add(receiver.url, ["fine_tuning.job.cancelled"])
    job = store.cancel(enqueue().id)
    [delivery] = outbox(hook)
    assert (delivery.status, delivery.job_id) == (DeliveryStatus.DELIVERED, job.id)
    assert [attempt["status"] for attempt in delivery.attempts] == [204]
    [(path, headers, body)] = receiver.got
    assert path == "/hook?for=us"
    with openai.OpenAI(api_key="none", webhook_secret=hook.secret) as client:
        event = client.webhooks.unwrap(body, headers)
        assert isinstance(event, FineTuningJobCancelledWebhookEvent)
        assert FineTuningJobCancelledWebhookEvent.model_validate_json(body, strict=True)
        assert (event.id, event.data.id, event.object) == (delivery.id, job.id, "event")
        other = Webhooks(webhooks._database).add(receiver.url, [EVENT_TYPES[0]]).secret
        for wrong_body, secret in ((body + b" ", hook.secret), (body, other)):
            with pytest.raises(openai.InvalidWebhookSignatureError):
                client.webhooks.unwrap(wrong_body, headers, secret=secret)


def test_the_payload_is_the_schemes(webhooks, receiver, store, enqueue, outbox):
    """`type`, `timestamp` and `data` of Standard Webhooks; small, and a pointer."""
    hook = webhooks.add(receiver.url, ["job.cancelled"])
    job = store.cancel(enqueue().id)
    outbox(hook)
    [(_, headers, body)] = receiver.got
    told = json.loads(body)
    assert told["type"] == "job.cancelled"
    assert told["timestamp"].endswith("+00:00")
    assert told["data"] == {
        "id": job.id,
        "status": "cancelled",
        "termination_reason": "cancelled",
    }
    assert headers["webhook-id"] == told["id"]
    assert headers["content-type"] == "application/json"
    assert len(body) < 20_000


def test_the_signature_is_an_hmac_of_id_time_and_body():
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    headers = signed_headers(secret, "evt_1", 1614265330.9, '{"test": 2432232314}')
    signed = b'evt_1.1614265330.{"test": 2432232314}'
    right = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert headers == {
        "webhook-id": "evt_1",
        "webhook-timestamp": "1614265330",
        "webhook-signature": f"v1,{right}",
    }


def test_only_what_was_asked_for_and_only_what_comes(webhooks, database, store, enqueue):
    store.cancel(enqueue().id)  # before anybody listens
    ours = webhooks.add(URL, ["job.failed", "fine_tuning.job.failed", "job.cancelled"])
    other = webhooks.add(URL, ["job.succeeded"])
    failed, good = enqueue(), enqueue()
    with database.writing() as session:
        end_job(session, failed, Ending(Status.FAILED, "failed"))
        end_job(session, good, Ending(Status.SUCCEEDED, "search_ended"))
    webhooks.collect()
    webhooks.collect()  # nothing is put in twice
    assert [(d.type, d.job_id) for d in reversed(webhooks.deliveries(ours.id))] == [
        ("job.failed", failed.id),
        ("fine_tuning.job.failed", failed.id),
    ]
    assert [(d.type, d.job_id) for d in webhooks.deliveries(other.id)] == [
        ("job.succeeded", good.id)
    ]


def test_what_fails_is_repeated_by_the_schedule_and_given_up(
    webhooks, receiver, store, enqueue, outbox
):
    hook = webhooks.add(receiver.url, ["job.cancelled"])
    store.cancel(enqueue().id)
    receiver.statuses = [500, 302, 404, *[503] * 7]
    waits, at = [], None
    for _ in range(len(WAITS) + 1):
        [delivery] = outbox(hook, at)
        if delivery.due_at is not None:
            waits.append(delivery.due_at - delivery.attempts[-1]["at"])
            assert webhooks.claim(at=delivery.due_at - 1) == []  # not before
            at = delivery.due_at
    assert waits == pytest.approx(list(WAITS))
    assert (delivery.status, delivery.due_at) == (DeliveryStatus.FAILED, None)
    statuses = [attempt["status"] for attempt in delivery.attempts]
    assert statuses == [500, 302, 404, *[503] * 7]  # no redirect was followed
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
    assert webhooks.one(hook.id).disabled is None


def test_a_later_attempt_may_succeed(webhooks, receiver, store, enqueue, outbox):
    hook = webhooks.add(receiver.url, ["job.cancelled"])
    store.cancel(enqueue().id)
    receiver.statuses = [500]
    [delivery] = outbox(hook)
    [delivery] = outbox(hook, delivery.due_at)
    assert delivery.status == DeliveryStatus.DELIVERED
    assert [attempt["status"] for attempt in delivery.attempts] == [500, 204]
    assert len(receiver.got) == 2


def test_gone_ends_the_webhook_and_what_waits_for_it(webhooks, receiver, store, enqueue, outbox):
    hook = webhooks.add(receiver.url, ["job.cancelled"])
    store.cancel(enqueue().id)
    receiver.statuses = [500, 410]
    [first] = outbox(hook)
    store.cancel(enqueue().id)
    outbox(hook)
    assert "410" in webhooks.one(hook.id).disabled
    assert {d.status for d in webhooks.deliveries(hook.id)} == {DeliveryStatus.FAILED}
    store.cancel(enqueue().id)
    assert len(outbox(hook, first.due_at)) == 2  # nothing new, and nothing again
    assert len(receiver.got) == 2


def test_a_message_is_in_one_senders_hands(webhooks, store, enqueue):
    """And a sender that dies with it does not lose it."""
    hook = webhooks.add(URL, ["job.cancelled"])
    store.cancel(enqueue().id)
    webhooks.collect()
    [delivery] = webhooks.deliveries(hook.id)
    at = delivery.due_at
    assert len(webhooks.claim(at=at)) == 1
    assert webhooks.claim(at=at + LEASE - 1) == []
    assert len(webhooks.claim(at=at + LEASE)) == 1


def test_no_more_at_once_than_one_can_send(webhooks, store, enqueue):
    webhooks.add(URL, ["job.cancelled"])
    for _ in range(AT_ONCE + 1):
        store.cancel(enqueue().id)
    webhooks.collect()
    at = 2e9
    assert [len(webhooks.claim(at=at)) for _ in range(3)] == [AT_ONCE, 1, 0]


def test_a_deleted_webhook_is_told_nothing(webhooks, store, enqueue):
    hook = webhooks.add(URL, ["job.cancelled"])
    store.cancel(enqueue().id)
    webhooks.collect()
    webhooks.delete(hook.id)
    assert webhooks.claim() == []
    for deed in (webhooks.one, webhooks.delete, webhooks.deliveries):
        with pytest.raises(NoSuchWebhook, match=hook.id):
            deed(hook.id)


def test_private_hosts_only_where_the_operator_allows_them(
    webhooks, receiver, store, enqueue, outbox, monkeypatch
):
    """Checked at every delivery, not only when the address was given."""
    hook = webhooks.add(receiver.url, ["job.cancelled"])
    store.cancel(enqueue().id)
    monkeypatch.setenv("GRADLESS_PRIVATE_HOSTS", "false")
    with pytest.raises(BadUrl, match="own"):
        webhooks.add(receiver.url, ["job.failed"])
    [delivery] = outbox(hook)
    assert "may not be asked" in delivery.attempts[0]["error"]
    assert receiver.got == []


def test_the_secret_is_in_no_repr(webhooks):
    hook = webhooks.add(URL, ["job.failed"])
    assert hook.secret.startswith("whsec_") and len(base64.b64decode(hook.secret[6:])) == 32
    assert hook.secret not in repr(hook)
