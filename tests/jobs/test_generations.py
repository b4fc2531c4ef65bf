"""A search told in part: what is picked, and that it is picked by the database."""

from itertools import pairwise

import pytest
from sqlalchemy import event

from jobs.generations import Generations, spread
from jobs.models import GenerationRow, JobRow, TimingRow
from jobs.store import NoSuchJob


def recorded(database, job_id, rounds, *, before=0.0):
    """Generations of (dev loss, text), each of one second; the incumbent is as it must be."""
    best, rows = None, []
    for number, (dev_loss, text) in enumerate(rounds, start=1):
        if best is None or (dev_loss is not None and dev_loss < best[0]):
            best = (float("inf") if dev_loss is None else dev_loss, number)
        rows.append(row(job_id, number, dev_loss, best[1], text))
        rows.append(TimingRow(job_id=job_id, number=number, seconds=1.0, model_seconds=0.5))
    with database.writing() as session:
        session.add_all(rows)
        job = session.get(JobRow, job_id)
        job.generation, job.seconds = len(rounds), before + len(rounds)


def row(job_id, number, dev_loss, incumbent, text):
    return GenerationRow(
        job_id=job_id,
        number=number,
        queries=10 * number,
        train_loss=1.0,
        train_accuracy=0.5,
        population_loss=1.0,
        dev_loss=dev_loss,
        dev_accuracy=0.5,
        incumbent_generation=incumbent,
        incumbent_dev_loss=None,
        incumbent_dev_accuracy=0.5,
        internals={},
        text=text,
    )


@pytest.fixture
def generations(database):
    return Generations(database)


@pytest.fixture
def job(enqueue):
    return enqueue().id


def numbers(rows):
    assert all(one.number == timing.number for one, timing in rows)
    return [one.number for one, _ in rows]


@pytest.mark.parametrize(
    ("n", "points"), [(1, 2), (2, 2), (9, 2), (10, 60), (60, 60), (61, 60), (997, 60)]
)
def test_points_are_spread_evenly_from_the_first_to_the_last(n, points):
    chosen = spread(1, n, points)
    assert chosen == sorted(set(chosen)) and (chosen[0], chosen[-1]) == (1, n)
    assert len(chosen) == min(n, points)
    gaps = [b - a for a, b in pairwise(chosen)]
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_some_of_many(generations, job, database, enqueue):
    recorded(database, job, [(1 / n, None) for n in range(1, 51)])
    other = enqueue().id
    recorded(database, other, [(1.0, None)] * 3)
    assert numbers(generations.picked(job, 5)) == [1, 13, 25, 38, 50]
    assert numbers(generations.picked(job, 3, after=40)) == [41, 45, 50]
    assert numbers(generations.picked(job, 1000)) == list(range(1, 51))
    assert generations.picked(job, 5, after=50) == []
    assert numbers(generations.picked(other, 60)) == [1, 2, 3]


def test_only_what_is_wanted_becomes_an_object(generations, job, database):
    recorded(database, job, [(1.0, None)] * 500)
    made = []

    def loaded(target, _):
        made.append(target)

    event.listen(GenerationRow, "load", loaded)
    try:
        assert len(generations.picked(job, 20)) == len(made) == 20
    finally:
        event.remove(GenerationRow, "load", loaded)


def test_incumbents_are_those_that_were_better(generations, job, database):
    recorded(database, job, [(loss, None) for loss in (0.9, 0.95, 0.7, 0.7, None, 0.6)])
    assert numbers(generations.incumbents(job)) == [1, 3, 6]
    assert numbers(generations.incumbents(job, after=1)) == [3, 6]
    assert numbers(generations.incumbents(job, limit=2)) == [1, 3]


def test_steps_are_the_curve_of_the_incumbent(generations, job, database):
    assert generations.steps(job, 10) == []
    recorded(database, job, [(loss, None) for loss in (0.9, 0.95, 0.7, 0.7, 0.6, 0.8)])
    assert numbers(generations.steps(job, 10)) == [1, 3, 5, 6]
    assert numbers(generations.steps(job, 2)) == [1, 5, 6]


def test_candidates_are_different_and_the_best_come_first(generations, job, database):
    told = [(0.9, "a"), (0.5, "b"), (0.1, "b"), (None, "c"), (0.7, "d"), (0.5, "e")]
    recorded(database, job, told)
    rows = generations.candidates(job)
    assert [one.text for one, _ in rows] == ["b", "e", "d", "a", "c"]
    assert numbers(rows)[0] == 2, "as it was measured first, not at its luckiest"
    assert numbers(generations.candidates(job, limit=2)) == [2, 6]


def test_vectors_are_never_the_same(generations, job, database):
    recorded(database, job, [(0.9, None), (0.5, None), (0.5, None), (0.6, "5"), (0.7, "5")])
    assert numbers(generations.candidates(job)) == [2, 3, 4, 1]


def test_time_is_counted_from_the_baseline_on(generations, job, database):
    recorded(database, job, [(1.0, None)] * 6, before=2.5)
    assert generations.elapsed(job, [1, 4, 6]) == {1: 3.5, 4: 6.5, 6: 8.5}
    assert generations.elapsed(job, []) == {}


def test_unknown_jobs(generations):
    for read in (
        lambda: generations.picked("job_x", 5),
        lambda: generations.incumbents("job_x"),
        lambda: generations.candidates("job_x"),
        lambda: generations.steps("job_x", 5),
        lambda: generations.elapsed("job_x", [1]),
    ):
        with pytest.raises(NoSuchJob):
            read()


def test_another_project_s_are_unknown(database, enqueue, job):
    recorded(database, job, [(1.0, None)])
    assert numbers(Generations(database.of("default")).picked(job, 5)) == [1]
    with pytest.raises(NoSuchJob):
        Generations(database.of("two")).picked(job, 5)
