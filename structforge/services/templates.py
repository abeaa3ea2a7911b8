"""Templates: packaged workflows to begin with, as a gallery shows them.

Invariant: a template is a file of our own format, read once; using one makes a workflow of the visitor's own
and brings the data it reads, without replacing a file that is there.
"""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.errors import NotFoundError, Problem, sentence
from structforge.interchange import own
from structforge.sdk import NodeRegistry
from structforge.services.workflows import WorkflowDetail, WorkflowService

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@dataclass(frozen=True, slots=True)
class TemplateNode:
    """One node of a preview: what it is and where it is drawn, in a box of 1 by 1."""

    title: str
    category: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Template:
    """A template in a gallery."""

    id: str
    name: str
    description: str
    tags: tuple[str, ...]
    nodes: tuple[TemplateNode, ...]
    edges: tuple[tuple[int, int], ...]
    """Pairs of indexes of `nodes`."""


class TemplateService:
    """Lists templates and makes workflows of them."""

    def __init__(
        self, workflows: WorkflowService, registry: NodeRegistry, files_dir: Path, folder: Path = EXAMPLES
    ) -> None:
        self._workflows = workflows
        self._registry = registry
        self._files_dir = files_dir
        self._folder = folder

    def list(self, principal: Principal) -> Sequence[Template]:
        """Return all templates by name."""
        authorize(principal, Permission.TEMPLATE_READ)
        found = (self._template(name, file) for name, file in _files(self._folder).items())
        return sorted(found, key=lambda template: template.name)

    async def use(self, principal: Principal, template_id: str) -> WorkflowDetail:
        """Make a workflow out of a template. Raises: NotFoundError; ForbiddenError."""
        authorize(principal, Permission.TEMPLATE_READ)
        authorize(principal, Permission.WORKFLOW_CREATE)
        file = _files(self._folder).get(template_id)
        if file is None:
            raise NotFoundError(
                Problem(
                    "template.not_found",
                    sentence("There is no template {template_id}.", template_id=repr(template_id[:100])),
                    "template",
                )
            )
        target = self._files_dir / str(principal.organization_id) / "data"
        await asyncio.to_thread(_bring_data, self._folder / "data", target)
        return await self._workflows.import_file(principal, file)

    def _template(self, template_id: str, file: own.WorkflowFile) -> Template:
        document = file.document
        places = document.layout.positions
        xs = [place.x for place in places.values()] or [0.0]
        ys = [place.y for place in places.values()] or [0.0]
        width, height = max(xs) - min(xs) or 1.0, max(ys) - min(ys)
        nodes = []
        for spec in document.nodes:
            known = self._registry.get(spec.type)
            place = places.get(spec.id)
            nodes.append(
                TemplateNode(
                    spec.title or (known.title if known else spec.type),
                    known.category if known else "code",
                    0.0 if place is None else (place.x - min(xs)) / width,
                    0.5 if place is None or not height else (place.y - min(ys)) / height,
                )
            )
        index = {spec.id: number for number, spec in enumerate(document.nodes)}
        edges = tuple((index[edge.source], index[edge.target]) for edge in document.edges)
        labels = file.labels
        return Template(template_id, labels.name, labels.description, labels.tags, tuple(nodes), edges)


@cache
def _files(folder: Path) -> dict[str, own.WorkflowFile]:
    return {path.stem: own.read(path.read_bytes(), name=path.stem) for path in folder.glob("*.json")}


def _bring_data(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if not (target / path.name).exists():
            draft = target / f".{path.name}.draft"
            shutil.copyfile(path, draft)
            draft.replace(target / path.name)
