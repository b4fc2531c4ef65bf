"""Keys of requests: who is first, what the others are told, and for how long."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.repeats import KEPT, LEASE, Begun, InFlight, OtherRequest, Repeats, Told, settle
from jobs.spec import JobSpec

ANSWER = Told(202, '{"id":"job_1"}')


@pytest.fixture
def repeats(database):
    return Repeats(database)


def test_the_first_does_and_the_others_are_told(repeats):
    begun = repeats.begin("key", "digest", at=0.0)
    assert isinstance(begun, Begun)
    with pytest.raises(InFlight, match="still at work"):
        repeats.begin("key", "digest", at=1.0)
    repeats.settle(begun, ANSWER)
    for at in (2.0, LEASE + 1, KEPT - 1):
        assert repeats.begin("key", "digest", at=at) == ANSWER
    assert isinstance(repeats.begin("key", "digest", at=KEPT + 1), Begun)


def test_a_key_is_for_one_request(repeats):
    begun = repeats.begin("key", "digest", at=0.0)
    with pytest.raises(OtherRequest, match="send a new one"):
        repeats.begin("key", "another", at=1.0)
    repeats.settle(begun, ANSWER)
    with pytest.raises(OtherRequest):
        repeats.begin("key", "another", at=2.0)
    assert isinstance(repeats.begin("other key", "another", at=1.0), Begun)


def test_a_failed_request_gives_its_key_back(repeats):
    repeats.forget(repeats.begin("key", "digest", at=0.0))
    begun = repeats.begin("key", "corrected", at=1.0)
    repeats.settle(begun, ANSWER)
    repeats.forget(begun)  # too late
    assert repeats.begin("key", "corrected", at=2.0) == ANSWER


def test_who_was_taken_for_dead_cannot_make_it_a_second_time(repeats, database):
    slow = repeats.begin("key", "digest", at=0.0)
    with pytest.raises(InFlight):
        repeats.begin("key", "digest", at=LEASE - 1)
    quick = repeats.begin("key", "digest", at=LEASE + 1)
    with pytest.raises(InFlight), database.writing() as session:
        settle(session, slow, Told(202, "slow"))
    repeats.forget(slow)
    repeats.settle(quick, ANSWER)
    assert repeats.begin("key", "digest", at=LEASE + 2) == ANSWER


def test_of_many_at_once_one_is_first(repeats):
    def begin(_):
        try:
            return repeats.begin("key", "digest", at=0.0)
        except InFlight:
            return None

    with ThreadPoolExecutor(6) as pool:
        begun = list(pool.map(begin, range(30)))
    assert len([each for each in begun if each]) == 1


def test_answer_and_job_are_written_together(repeats, store, enqueue, database):
    """A crash between the two would make a job that its own key does not know."""
    spec = JobSpec.model_validate(enqueue().spec)
    begun = repeats.begin("key", "digest", at=0.0)

    def break_(session, job):
        settle(session, begun, Told(202, job.id))
        raise KeyError

    with pytest.raises(KeyError):
        store.enqueue(spec, also=break_)
    assert store.counts() == {"queued": 1}
    with pytest.raises(InFlight):
        repeats.begin("key", "digest", at=1.0)
    job = store.enqueue(spec, also=lambda session, job: settle(session, begun, Told(202, job.id)))
    assert repeats.begin("key", "digest", at=2.0) == Told(202, job.id)
