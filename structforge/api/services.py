"""What the gateway is given: the services behind its routes, and the few settings it needs.

Invariant: plain references; `wiring` fills them once.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from structforge.services.answers import AnswerService
from structforge.services.artifact_views import ArtifactViews
from structforge.services.bulk import BulkService
from structforge.services.comparisons import ComparisonService
from structforge.services.connections import ConnectionService
from structforge.services.draft_memory import DraftMemory
from structforge.services.draft_runs import DraftRunService
from structforge.services.file_previews import FilePreviews
from structforge.services.files import FileService
from structforge.services.identity import IdentityService
from structforge.services.limits import LimitService
from structforge.services.members import MemberService
from structforge.services.nodes import NodeTypeService
from structforge.services.replays import ReplayService
from structforge.services.resumes import ResumeService
from structforge.services.runs import RunService
from structforge.services.triggers import TriggerService
from structforge.services.workflows import WorkflowService

Probe = Callable[[], Awaitable[None]]
"""Raises when the part it asks is not there."""


@dataclass(frozen=True, slots=True)
class ApiServices:
    """The services of one web process."""

    identity: IdentityService
    members: MemberService
    workflows: WorkflowService
    runs: RunService
    triggers: TriggerService
    connections: ConnectionService
    replays: ReplayService
    bulk: BulkService
    limits: LimitService
    answers: AnswerService
    resumes: ResumeService
    comparisons: ComparisonService
    nodes: NodeTypeService
    files: FileService
    file_previews: FilePreviews
    artifact_views: ArtifactViews
    draft_memory: DraftMemory
    draft_runs: DraftRunService
    probes: dict[str, Probe]
    """By name; `database` decides whether this process is ready, the others are reported."""
    public_url: str
    access_ttl_s: int
    body_max_bytes: int
    file_max_bytes: int
    sync_limit_s: float
