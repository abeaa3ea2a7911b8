"""What is not there: one answer for what nobody has and for what another organization has.

Invariant: a foreign id is told from an unknown one by nothing. For services.
"""

from uuid import UUID

from structforge.domain.errors import NotFoundError, Problem, sentence


def run_not_found(run_id: UUID) -> NotFoundError:
    """Say that there is no such run."""
    told = sentence("There is no run {run_id}.", run_id=run_id)
    return NotFoundError(Problem("run.not_found", told, "run_id"))


def workflow_not_found(workflow_id: UUID) -> NotFoundError:
    """Say that there is no such workflow."""
    told = sentence("There is no workflow {workflow_id}.", workflow_id=workflow_id)
    return NotFoundError(Problem("workflow.not_found", told, "workflow_id"))
