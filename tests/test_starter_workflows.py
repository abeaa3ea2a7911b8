"""The starter workflows on their real data, node by node (the engine's own tests run them durably)."""

import csv
from decimal import ROUND_HALF_UP, Decimal
from statistics import fmean

import pytest

from structforge.sdk.testing import Bench, FakeHttp, FakeResponse
from tests.support.walk import EXAMPLES, loaded, read_example, walk

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))


def weather() -> list[dict[str, str]]:
    with (EXAMPLES / "data" / "seattle-weather.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("name", NAMES)
def test_every_node_of_a_starter_workflow_is_drawn_and_documented(name: str) -> None:
    document = read_example(name)
    assert set(document.layout.positions) == {node.id for node in document.nodes}
    assert document.documentation
    assert all(node.title for node in document.nodes)


async def test_the_weather_report_agrees_with_figures_computed_by_hand() -> None:
    days = weather()
    assert len(days) == 1_461
    with Bench(files=EXAMPLES) as bench:
        results = await walk(read_example("seattle_weather"), {"wet_day_mm": 1}, bench)
        (months,) = (loaded(table, bench) for table in results["ranked"].values())
        (hottest,) = (loaded(table, bench) for table in results["hottest"].values())
    assert [row["month"] for row in months] == list(range(1, 13))
    for row in months:
        of_month = [day for day in days if int(day["date"].split("/")[1]) == row["month"]]
        wet = [float(day["precipitation"]) for day in of_month if float(day["precipitation"]) >= 1]
        assert row["days"] == len(of_month)
        assert row["wet_days"] == len(wet)
        assert float(row["rain_mm"]) == pytest.approx(sum(wet))
        assert float(row["mean_high"]) == pytest.approx(fmean(float(day["temp_max"]) for day in of_month))
        share = Decimal(len(wet)) / len(of_month)
        assert float(row["wet_share"]) == float(share.quantize(Decimal("0.01"), ROUND_HALF_UP))
    assert [float(row["temp_max"]) for row in hottest] == sorted(float(d["temp_max"]) for d in days)[:-6:-1]
    report = results["report"]["out"]
    assert report["title"] == "Seattle weather"
    assert "| month |" in report["markdown"]
    assert report["markdown"].count("\n| ") == 2 + 12 + 2 + 5


@pytest.mark.parametrize(
    ("wet_day_mm", "branch", "verdict"), [(0, "true", "umbrella"), (200, "false", "No month")]
)
async def test_the_verdict_goes_by_the_branch(wet_day_mm: float, branch: str, verdict: str) -> None:
    with Bench(files=EXAMPLES) as bench:
        results = await walk(read_example("seattle_weather"), {"wet_day_mm": wet_day_mm}, bench)
    assert list(results["often_wet"]) == [branch]
    assert ("say_wet" in results, "say_dry" in results) == (branch == "true", branch == "false")
    assert verdict in results["report"]["out"]["markdown"]


async def test_the_input_of_the_weather_report_may_be_left_out() -> None:
    with Bench(files=EXAMPLES) as bench:
        results = await walk(read_example("seattle_weather"), {}, bench)
    assert "from 1 mm of rain" in results["report"]["out"]["markdown"]


@pytest.mark.parametrize(("status", "report"), [(200, "healthy"), (503, "unhealthy"), (404, "unhealthy")])
async def test_the_health_check_reports_either_way(status: int, report: str) -> None:
    http = FakeHttp(lambda *sent: FakeResponse(status, {"content-type": "text/plain"}, b"state"))
    with Bench(http=http) as bench:
        results = await walk(read_example("health_check"), {"url": "https://shop.example/health"}, bench)
    assert {"healthy", "unhealthy"} & set(results) == {report}
    assert str(status) in results[report]["out"]["markdown"]


async def test_the_quick_start_greets() -> None:
    with Bench() as bench:
        document = read_example("quick_start")
        named = await walk(document, {"name": "Ada"}, bench)
        unnamed = await walk(document, {}, bench)
    assert named["report"]["out"]["markdown"] == "# Quick start\n\nHELLO ADA!\n"
    assert unnamed["report"]["out"]["markdown"] == "# Quick start\n\nHELLO WORLD!\n"
