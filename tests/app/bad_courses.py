"""Every bad question about how searches have gone, and about jobs beside each other."""

from tests.app.bad import Bad, get

NOBODY = "job_" + "0" * 20
COURSES = [
    Bad("one point", get("/api/jobs/{job}/generations?points=1"), 422, "points", ["2", "'1'"]),
    Bad("many points", get("/api/jobs/{job}/generations?points=1001"), 422, "points", ["1000"]),
    *(
        Bad(f"{what} of no job", get(f"/api/jobs/nope/{what}"), 404, None, ["'nope'"])
        for what in ("incumbents", "candidates", "log", "generations?points=5")
    ),
    Bad("candidates without end", get("/api/jobs/{job}/candidates?limit=101"), 422, "limit", []),
    Bad("a log before the beginning", get("/api/jobs/{job}/log?after=-1"), 422, "after", ["'-1'"]),
    Bad("none of a log", get("/api/jobs/{job}/log?last=0"), 422, "last", ["1", "'0'"]),
    Bad(
        "a figure as a photograph",
        get("/api/jobs/{job}/figures/loss?format=png"),
        422,
        "format",
        ["'svg'", "'png'"],
    ),
    Bad("to compare nothing", get("/api/compare"), 422, "jobs", ["needed"]),
    Bad("to compare no jobs", get("/api/compare?jobs=,"), 422, "jobs", ["got 0", "2 to 8"]),
    Bad("to compare one job", get("/api/compare?jobs={job}"), 422, "jobs", ["got 1", "2 to 8"]),
    Bad(
        "to compare nine jobs",
        get("/api/compare?jobs=a,b,c,d,e,f,g,h,i"),
        422,
        "jobs",
        ["got 9", "2 to 8"],
    ),
    Bad(
        "to compare a job with itself",
        get("/api/compare?jobs={job},a,{job}"),
        422,
        "jobs",
        ["twice", "job_"],
    ),
    Bad("to compare with nobody", get(f"/api/compare?jobs={{job}},{NOBODY}"), 404, None, [NOBODY]),
    Bad(
        "figures of nobody",
        get(f"/api/compare/figures/loss?jobs={{job}},{NOBODY}"),
        404,
        None,
        [NOBODY],
    ),
    Bad("no figures", get("/api/compare/figures/loss"), 422, "jobs", ["needed"]),
    Bad(
        "another figure of two",
        get("/api/compare/figures/internals?jobs={job},a"),
        422,
        "name",
        ["'loss'", "'internals'"],
    ),
    Bad(
        "an axis of dreams",
        get("/api/compare/figures/loss?jobs={job},a&axis=hope"),
        422,
        "axis",
        ["'seconds'", "'hope'"],
    ),
]
