"""Starting from a template: what is packaged can be used, brings its data, and replaces nothing."""

import pytest

from structforge.domain.access import Principal, Role, permissions_of
from structforge.domain.errors import ForbiddenError, NotFoundError
from structforge.services.templates import EXAMPLES, TemplateService
from tests.support.installation import Installation


@pytest.fixture
def templates(installation: Installation) -> TemplateService:
    engine = installation.engine
    return TemplateService(installation.services.workflows, engine.registry, engine.settings.files_dir)


async def test_every_packaged_template_makes_a_workflow_without_problems(
    installation: Installation, templates: TemplateService
) -> None:
    me = installation.first
    found = templates.list(me)
    assert {template.id for template in found} == {path.stem for path in EXAMPLES.glob("*.json")}
    for template in found:
        assert template.name and template.description
        assert all(0 <= node.x <= 1 and 0 <= node.y <= 1 for node in template.nodes)
        made = await templates.use(me, template.id)
        assert (made.summary.labels.name, made.problems) == (template.name, ())
        assert len(made.draft.nodes) == len(template.nodes)


async def test_data_comes_along_and_replaces_nothing(
    installation: Installation, templates: TemplateService
) -> None:
    me = installation.first
    data = installation.engine.settings.files_dir / str(me.organization_id) / "data"
    data.mkdir(parents=True)
    (data / "seattle-weather.csv").write_text("mine")
    await templates.use(me, "seattle_weather")
    assert (data / "seattle-weather.csv").read_text() == "mine"
    await templates.use(installation.second, "seattle_weather")
    theirs = installation.engine.settings.files_dir / str(installation.second.organization_id) / "data"
    assert (theirs / "seattle-weather.csv").stat().st_size > 1_000


@pytest.mark.parametrize("name", ["nothing", "", "../pyproject", "data", "x" * 5_000])
async def test_an_unknown_template_is_not_found(
    installation: Installation, templates: TemplateService, name: str
) -> None:
    with pytest.raises(NotFoundError):
        await templates.use(installation.first, name)


async def test_a_viewer_looks_and_does_not_use(
    installation: Installation, templates: TemplateService
) -> None:
    viewer = Principal(None, installation.first.organization_id, permissions_of(frozenset({Role.VIEWER})))
    assert templates.list(viewer)
    with pytest.raises(ForbiddenError):
        await templates.use(viewer, "quick_start")
