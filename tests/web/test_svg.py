"""Curves as SVG: what they show stands where its numbers say, whatever the numbers are."""

import re
from xml.etree import ElementTree

import pytest

from tests.web import samples
from tests.web.test_compared import course
from tests.web.test_compared import job as compared
from tests.web.test_figures import SHARED_OUT, rounds
from web.canvas import MOST_TICKS, WIDTH, Scale
from web.compared import compared_figure
from web.figures import FIGURES, REPORT_FIGURES, accuracy_figure, confusion_figure, loss_figure
from web.internals import internals_figure
from web.plotting import THEMES
from web.svg import BOTTOM, LEFT, RIGHT, as_file, drawn

DASHED = "stroke-dasharray"


def read(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(svg: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in svg.iter("text")]


def paths(svg: ElementTree.Element, color: str) -> list[str]:
    return [path.attrib["d"] for path in svg.iter("path") if path.attrib.get("stroke") == color]


@pytest.fixture
def job() -> samples.Object:
    ended = {"baseline": samples.baseline(), "result": samples.result()}
    return samples.job("job_1", "succeeded", **ended)


@pytest.mark.parametrize(("low", "high"), [(0, 40_000), (0.447, 1.3), (-3, 2), (72.1, 72.2)])
def test_ticks_are_round_and_few(low: float, high: float) -> None:
    ticks = Scale(low, high, 0, 100).ticks()
    assert 3 <= len(ticks) <= MOST_TICKS + 1
    assert low <= ticks[0] <= ticks[-1] <= high * (1 + 1e-9)
    step = f"{ticks[1] - ticks[0]:e}"
    assert step[:4] in ("1.00", "2.00", "5.00"), step


def test_a_curve_goes_from_its_first_number_to_its_last(job: samples.Object) -> None:
    figure = loss_figure(job, rounds(20))
    svg = read(drawn(figure, "Loss"))
    assert svg.attrib["aria-label"] == "Loss"
    incumbent, baseline = figure["data"][2], figure["data"][3]
    [_, stairs] = paths(svg, incumbent["line"]["color"])  # the first is the legend's
    assert len(re.findall("H.*?V", stairs)) == len(incumbent["x"]) - 1
    numbers = [float(number) for number in re.findall(r"[\d.]+", stairs)]
    assert LEFT < numbers[0] < numbers[-2] <= RIGHT
    assert numbers[1] < numbers[-1] < BOTTOM, "the loss falls, so its curve does"
    dashed = [path.attrib["d"] for path in svg.iter("path") if DASHED in path.attrib]
    assert len(dashed) == 2
    start, end = re.findall(r"[\d.]+ ([\d.]+)", dashed[1])
    assert start == end, "the baseline is level"
    assert float(start) < numbers[1], f"{baseline['y'][0]} is above all that was found"


def test_names_units_and_the_test_point(job: samples.Object) -> None:
    svg = read(drawn(accuracy_figure(job, rounds(20)), "Accuracy"))
    assert {"Champion, dev", "Incumbent, dev", "Baseline, dev", "Tuned, test"} <= {*texts(svg)}
    assert {"Queries spent", "Accuracy (%)", "10,000", "80 %"} <= {*texts(svg)}


@pytest.mark.parametrize("n", [0, 1, 2, 5000])
def test_few_generations_and_many(n: int, job: samples.Object) -> None:
    for figure in (loss_figure(job, rounds(n)), accuracy_figure(job, rounds(n))):
        svg = drawn(figure, "curve")
        assert "nan" not in svg
        assert len(svg) < 200_000
        assert len(texts(read(svg))) > 5
    bare = loss_figure(samples.job("job_1"), [])
    assert texts(read(drawn(bare, "nothing")))


def test_all_the_same_and_never_finite(job: samples.Object) -> None:
    for loss in (0.0, 1.5, None):
        history = [samples.generation(n) for n in range(1, 9)]
        for each in history:
            each |= dict.fromkeys(("train_loss", "dev_loss", "incumbent_dev_loss"), loss)
        svg = drawn(loss_figure({**job, "baseline": None}, history), "flat")
        assert "Queries spent" in texts(read(svg))
        assert "nan" not in svg and "inf" not in svg


def test_words_are_words() -> None:
    figure = loss_figure(samples.job("job_1", baseline=samples.baseline()), rounds(2))
    figure["data"][0]["name"] = samples.SCRIPT
    svg = drawn(figure, '"><script>')
    assert "<script" not in svg
    assert samples.SCRIPT in texts(read(svg))


SVG = "{http://www.w3.org/2000/svg}"


def all_figures(job: samples.Object, theme: str) -> dict[str, samples.Object]:
    """Of a job with everything, and of one with nothing."""
    report, bare = samples.report("job_1", samples.result()), samples.job("job_2")
    jobs = [compared(n, result=samples.result()) for n in range(3)]
    drawn_from = {name: (job, rounds(9)) for name in FIGURES}
    return {
        **{name: draw(*drawn_from[name], theme) for name, draw in FIGURES.items()},
        **{f"{name}, empty": draw(bare, [], theme) for name, draw in FIGURES.items()},
        **{name: draw(report, theme) for name, draw in REPORT_FIGURES.items()},
        **{f"{name}, empty": draw({}, theme) for name, draw in REPORT_FIGURES.items()},
        "compared": compared_figure("accuracy", jobs, [course()] * 3, "cost", theme),
        "compared, empty": compared_figure("loss", jobs, [[]] * 3, "tokens", theme),
    }


@pytest.mark.parametrize("theme", THEMES)
def test_every_figure_stands_by_itself_in_its_colors(theme: str, job: samples.Object) -> None:
    for name, figure in all_figures(job, theme).items():
        svg = ElementTree.fromstring(as_file(figure, name))
        assert svg.tag == f"{SVG}svg" and svg.attrib["aria-label"] == name
        ground = svg[0]
        assert (ground.tag, ground.attrib["fill"]) == (f"{SVG}rect", THEMES[theme].surface)
        words = [element.text for element in svg.iter(f"{SVG}text")]
        assert words, name
        if name.endswith("empty"):
            assert {"No generation yet", "No test results yet", "Nothing told yet"} & {*words}
        inks = {element.attrib["fill"] for element in svg.iter(f"{SVG}text")}
        assert inks <= {THEMES[theme].text, THEMES[theme].muted, THEMES[theme].surface}, name


def test_bars_are_as_long_as_what_they_say() -> None:
    report = samples.report("job_1", samples.result())
    svg = read(drawn(REPORT_FIGURES["comparison"](report, "light"), "Comparison"))
    widths = [float(box.attrib["width"]) for box in svg.iter("rect")]
    shares = [report[side]["accuracy"] for side in ("baseline", "tuned")]
    assert widths[0] / widths[1] == pytest.approx(shares[0] / shares[1], rel=0.01)
    assert {"Baseline", "Tuned", "87.5 %", "Test accuracy (%)"} <= {*texts(svg)}


def test_a_heat_map_is_darkest_where_most_is() -> None:
    table = {"labels": ["a", "b"], "tuned": {"confusion": [[9, 0], [3, 6]]}}
    svg = read(drawn(confusion_figure(table), "Confusion"))
    ground, most, few, many = [box.attrib["fill"] for box in svg.iter("rect")]
    assert (ground, most) == THEMES["light"].scale
    assert few != many and len({ground, most, few, many}) == 4
    assert texts(svg).count("9") == 1 and "0" not in texts(svg)


@pytest.mark.parametrize("n", [1, 2, 150])
def test_heat_maps_fit_whatever_their_labels_are(n: int) -> None:
    labels = [f"a label of many words, number {k}" for k in range(n)]
    counts = [[1] * n] * n
    svg = drawn(confusion_figure({"labels": labels, "tuned": {"confusion": counts}}), "Many")
    boxes = [box.attrib for box in read(svg).iter("rect")]
    assert all(float(box["x"]) + float(box["width"]) <= WIDTH for box in boxes)
    assert len(svg) < 5_000_000
    nothing = {"labels": labels, "tuned": {"confusion": [[0] * n] * n}}
    assert len(list(read(drawn(confusion_figure(nothing), "None")).iter("rect"))) == 1


def test_panels_stand_below_each_other_with_their_titles() -> None:
    figure = internals_figure([{**one, "internals": SHARED_OUT} for one in rounds(4)])
    svg = read(drawn(figure, "Inside"))
    assert float(svg.attrib["height"]) == figure["layout"]["height"]
    titles = [text for text in svg.iter("text") if "(draws)" in (text.text or "")]
    assert [text.text for text in titles] == ["On one example (draws): most 20, fewest 3"]
    lines = [path.attrib["d"] for path in svg.iter("path") if "L" in path.attrib["d"]]
    tops = [float(re.findall(r"M[\d.]+ ([\d.]+)", line)[0]) for line in lines]
    assert len(lines) == len(SHARED_OUT) and max(tops) < figure["layout"]["height"]
    assert len(set(tops)) == len(tops)
    assert tops[0] == min(tops) and tops[-1] == max(tops), "the first panel stands above the last"
    [heading] = [float(text.attrib["y"]) for text in titles]
    assert tops[1] < heading < min(tops[2:4]), "and each below its title"


def test_names_in_a_legend_are_as_they_were_written() -> None:
    jobs = [compared(1, name="<b>&amp;")]
    svg = read(drawn(compared_figure("loss", jobs, [course()], "queries"), "One"))
    assert "<b>&amp;" in texts(svg)
