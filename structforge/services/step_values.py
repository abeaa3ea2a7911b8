"""What went into a step and what came out of it.

Invariant: read-only, within the principal's organization. Inputs are not stored: they are the outputs of the steps
whose edges ended there, found in the same iteration and then outward, as the engine finds them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.graph import AGAIN_PORT
from structforge.domain.validation import parse_document
from structforge.domain.workflow import WorkflowDocument
from structforge.services.absent import run_not_found
from structforge.storage.database import Database
from structforge.storage.repositories.runs import Runs
from structforge.storage.repositories.versions import Versions
from structforge.storage.tables import StepRow


@dataclass(frozen=True, slots=True)
class PortInput:
    """A value that arrived at a port."""

    port: str
    source: str
    """The node it came from; empty for what fired a trigger."""
    source_port: str
    value: Any


@dataclass(frozen=True, slots=True)
class StepValues:
    """One step of a run."""

    node_id: str
    node_type: str
    """Empty where the document has no such node."""
    attempts: Sequence[StepRow]
    """In order, with outputs and errors; none while it has not begun."""
    inputs: tuple[PortInput, ...]


class StepValuesService:
    """Reads what a step took and gave."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, principal: Principal, run_id: UUID, step_key: str) -> StepValues:
        """Return a step with its inputs. Raises: NotFoundError for the run."""
        authorize(principal, Permission.RUN_READ)
        organization = principal.organization_id
        async with self._database.transaction(organization) as session:
            runs = Runs(session)
            run = await runs.get(organization, run_id)
            if run is None:
                raise run_not_found(run_id)
            version = await Versions(session).get(organization, run.version_id)
            document = WorkflowDocument() if version is None else parse_document(version.document)
            attempts = await runs.step(organization, run_id, run.accepted_on, step_key)
            node_id = attempts[-1].node_id if attempts else node_of(step_key)
            wanted = [
                prefix + edge.source
                for edge in document.edges
                if edge.target == node_id
                for prefix in prefixes(step_key)
            ]
            outputs = await runs.outputs(organization, run_id, run.accepted_on, wanted)
        inputs = tuple(inputs_of(document, node_id, step_key, outputs))
        fed = any(edge.target == node_id for edge in document.edges)
        if attempts and not fed:
            inputs = (PortInput("in", "", "", run.input),)
        node_type = next((spec.type for spec in document.nodes if spec.id == node_id), "")
        return StepValues(node_id, node_type, attempts, inputs)


def node_of(step_key: str) -> str:
    """Return the node a step key ends in: `fetch` of `loop[2]/fetch#4`."""
    return step_key.rpartition("/")[2].partition("#")[0].partition("[")[0]


def prefixes(step_key: str) -> list[str]:
    """Return what keys of steps around this one begin with, the innermost iteration first."""
    parts = step_key.split("/")[:-1]
    return ["".join(f"{part}/" for part in parts[:count]) for count in range(len(parts), -1, -1)]


def inputs_of(
    document: WorkflowDocument, node_id: str, step_key: str, outputs: Mapping[str, Mapping[str, Any]]
) -> Iterator[PortInput]:
    """Yield what the edges into a node brought; `outputs` are ports by step key."""
    for edge in document.edges:
        if edge.target != node_id or edge.target_port == AGAIN_PORT:
            continue
        for prefix in prefixes(step_key):
            given = outputs.get(prefix + edge.source)
            if given is not None:
                if edge.source_port in given:
                    yield PortInput(edge.target_port, edge.source, edge.source_port, given[edge.source_port])
                break
