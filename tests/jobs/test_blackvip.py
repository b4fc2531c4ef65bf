"""BlackVIP: pixels that are added to every image, moved by what a model scores."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from backends.registry import Capability
from jobs import checkpoint
from jobs.meter import Meter
from jobs.methods import Problem
from jobs.methods.blackvip import BlackVIP
from jobs.pictures import Pictures
from jobs.pixels import PixelGrid
from jobs.prompts import PixelPrompt
from jobs.task import Example, Split, Task
from optimizers.spsa_gc import SPSAGCState

SIDE = 8  # pixels
LEVELS = {
    "dark": (150, 170),
    "light": (210, 230),
}  # all of them light to a model that splits at 110


def solid(level):
    file = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), (level, level, level)).save(file, "PNG")
    return file.getvalue()


def pixels(file):
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image, dtype=np.float64)


class Dimmer:
    """Calls an image light if its mean is above 110, the surer the farther: it needs darkening."""

    def __init__(self):
        self.asked = []

    def score(self, queries, labels):
        self.asked += [query.image for query in queries]
        light = np.array([(pixels(query.image).mean() - 110) / 20 for query in queries])
        return light[:, None] * [1.0 if word == "light" else -1.0 for word in labels]


FILES = {
    f"{label}-{level + extra}": solid(level + extra)
    for label, levels in LEVELS.items()
    for level in levels
    for extra in (0, 2, 4)
}
TASK = Task(
    "{prompt} {image} a photo of a {label}.",
    {label: label for label in LEVELS},
    pictures=Pictures("image", FILES),
)
EXAMPLES = tuple(Example({"image": name}, name.split("-")[0]) for name in FILES)
SPLIT = Split(EXAMPLES[::2] + EXAMPLES[1:2], EXAMPLES[1::2], ())
SMALL = {"grid_height": 2, "grid_width": 3, "sigma0": 0.05, "learning_rate": 0.05}


def search(model, budget=10**6, **settings):
    meter = Meter(model, budget)
    problem = Problem(model, TASK, SPLIT, "", seed=1)
    return BlackVIP(**(SMALL | settings)).search(problem, meter), meter


def test_the_grid():
    grid = PixelGrid(2, 3, strength=0.25)
    assert grid.dim == 18
    values = np.arange(18.0) - 9
    prompt = grid.decode(values)
    assert isinstance(prompt, PixelPrompt) and prompt.values.dtype == np.float32
    assert prompt.values == pytest.approx(0.25 * np.tanh(values).reshape(2, 3, 3))
    assert prompt.values[1, 2, 2] == pytest.approx(0.25, abs=1e-6)
    assert not grid.decode(np.zeros(18)).values.any()


def test_it_learns_to_darken():
    model = Dimmer()
    run, _ = search(model, budget=6_000)
    generations = list(run.run(run.start()))
    first, last = generations[0], generations[-1]
    unchanged = {pixels(FILES[example.inputs["image"]]).mean() for example in SPLIT.train}
    assert {pixels(image).mean() for image in model.asked[: len(SPLIT.train)]} == unchanged
    assert first.incumbent.dev_accuracy == 0.5
    assert last.incumbent.dev_accuracy == 1.0
    assert last.incumbent.dev_loss < 0.5 * first.incumbent.dev_loss
    assert last.incumbent.prompt.values.mean() < -0.2


@pytest.mark.parametrize("settings", [{}, {"batch_size": 3, "steps": 2}])
def test_a_generation_costs_what_it_says(settings):
    model = Dimmer()
    run, meter = search(model, **settings)
    most = BlackVIP(**SMALL | settings).generation_queries(len(SPLIT.train), len(SPLIT.dev))
    for generation in run.run(run.start()):
        assert len(model.asked) == meter.spent == generation.number * most
        if generation.number == 3:
            break


def test_resuming_equals_never_having_stopped():
    run, _ = search(Dimmer(), budget=1_000, batch_size=3)
    straight = list(run.run(run.start()))
    half = straight[len(straight) // 2]
    state = checkpoint.loads(SPSAGCState, checkpoint.dumps(half.state))
    again, _ = search(Dimmer(), budget=1_000, batch_size=3)
    rest = list(again.run(replace(half, state=state)))[: len(straight) - half.number]
    assert [checkpoint.dumps(g.state) for g in rest] == [
        checkpoint.dumps(g.state) for g in straight[half.number :]
    ]
    assert [g.champion for g in rest] == [g.champion for g in straight[half.number :]] != []


def test_settings():
    assert BlackVIP().requires() == {Capability.IMAGES, Capability.LABEL_PROBABILITIES}
    optimizer = BlackVIP().optimizer(np.zeros(1), 1)
    assert (optimizer.momentum, optimizer.longest_gradient, optimizer.n_directions) == (0.9, 0.0, 5)
    fast = BlackVIP.with_preset("fast")
    assert (fast.sigma0, fast.grid_height, fast.momentum) == (0.1, 4, 0.9)
    assert fast.generation_queries(160, 160) < 1_000 < BlackVIP().generation_queries(160, 160)
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        BlackVIP(strength=1.5)
