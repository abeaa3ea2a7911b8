"""Who may do what: permission names, the built-in roles, and the one check every service makes.

Invariant: a call without the permission ends in `ForbiddenError` before anything is read. Only `services`
authorises; an object of another organization is "not found", which is the repositories' part.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from structforge.domain.errors import ForbiddenError, Problem, sentence


class Permission(StrEnum):
    """What can be allowed: the object, then the verb."""

    ORGANIZATION_READ = "organization.read"
    ORGANIZATION_EDIT = "organization.edit"
    ORGANIZATION_DELETE = "organization.delete"
    MEMBER_READ = "member.read"
    MEMBER_MANAGE = "member.manage"
    ROLE_MANAGE = "role.manage"
    API_KEY_MANAGE = "api_key.manage"
    AUDIT_READ = "audit.read"
    WORKFLOW_READ = "workflow.read"
    WORKFLOW_CREATE = "workflow.create"
    WORKFLOW_EDIT = "workflow.edit"
    WORKFLOW_PUBLISH = "workflow.publish"
    WORKFLOW_DELETE = "workflow.delete"
    WORKFLOW_SHARE = "workflow.share"
    TRIGGER_MANAGE = "trigger.manage"
    RUN_READ = "run.read"
    RUN_START = "run.start"
    RUN_CONTROL = "run.control"
    RUN_STOP = "run.stop"
    RUN_DELETE = "run.delete"
    LOG_READ = "log.read"
    ARTIFACT_READ = "artifact.read"
    ARTIFACT_WRITE = "artifact.write"
    CONNECTION_READ = "connection.read"
    CONNECTION_USE = "connection.use"
    CONNECTION_MANAGE = "connection.manage"
    MODEL_READ = "model.read"
    MODEL_USE = "model.use"
    MODEL_MANAGE = "model.manage"
    TOOL_READ = "tool.read"
    TOOL_MANAGE = "tool.manage"
    TEMPLATE_READ = "template.read"
    TEMPLATE_MANAGE = "template.manage"
    USAGE_READ = "usage.read"


_MEANINGS: Mapping[Permission, str] = {
    Permission.ORGANIZATION_READ: "see the organization and its settings",
    Permission.ORGANIZATION_EDIT: "change the organization's settings and limits",
    Permission.ORGANIZATION_DELETE: "delete the organization",
    Permission.MEMBER_READ: "see the members",
    Permission.MEMBER_MANAGE: "invite and remove members and give them roles",
    Permission.ROLE_MANAGE: "make and change roles",
    Permission.API_KEY_MANAGE: "make and revoke API keys",
    Permission.AUDIT_READ: "read the audit log",
    Permission.WORKFLOW_READ: "see workflows, their versions and history",
    Permission.WORKFLOW_CREATE: "create and import workflows",
    Permission.WORKFLOW_EDIT: "change drafts",
    Permission.WORKFLOW_PUBLISH: "publish and restore versions",
    Permission.WORKFLOW_DELETE: "delete workflows",
    Permission.WORKFLOW_SHARE: "share pages and embed forms",
    Permission.TRIGGER_MANAGE: "set up webhooks, schedules and forms",
    Permission.RUN_READ: "see runs with their inputs and outputs",
    Permission.RUN_START: "start, retry and replay runs",
    Permission.RUN_CONTROL: "pause and resume runs and answer what they wait for",
    Permission.RUN_STOP: "stop runs",
    Permission.RUN_DELETE: "delete finished runs",
    Permission.LOG_READ: "read execution logs",
    Permission.ARTIFACT_READ: "download files and results",
    Permission.ARTIFACT_WRITE: "upload files",
    Permission.CONNECTION_READ: "see which connections exist",
    Permission.CONNECTION_USE: "use connections in workflows",
    Permission.CONNECTION_MANAGE: "create, change and delete connections and their secrets",
    Permission.MODEL_READ: "see the configured AI models",
    Permission.MODEL_USE: "use AI models in workflows",
    Permission.MODEL_MANAGE: "configure AI models and budgets",
    Permission.TOOL_READ: "see the configured tools",
    Permission.TOOL_MANAGE: "configure tools",
    Permission.TEMPLATE_READ: "see templates",
    Permission.TEMPLATE_MANAGE: "make and change templates",
    Permission.USAGE_READ: "see usage and cost",
}


def meaning(permission: Permission) -> str:
    """Return what the permission allows, to be read after "may"."""
    return _MEANINGS[permission]


class Role(StrEnum):
    """The built-in roles, strongest first; organizations may make their own."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    OPERATOR = "operator"
    VIEWER = "viewer"


_VIEWER = frozenset(
    {
        Permission.ORGANIZATION_READ,
        Permission.MEMBER_READ,
        Permission.WORKFLOW_READ,
        Permission.RUN_READ,
        Permission.LOG_READ,
        Permission.ARTIFACT_READ,
        Permission.CONNECTION_READ,
        Permission.MODEL_READ,
        Permission.TOOL_READ,
        Permission.TEMPLATE_READ,
    }
)
_OPERATOR = _VIEWER | {
    Permission.RUN_START,
    Permission.RUN_CONTROL,
    Permission.RUN_STOP,
    Permission.ARTIFACT_WRITE,
    Permission.USAGE_READ,
}
_EDITOR = _OPERATOR | {
    Permission.WORKFLOW_CREATE,
    Permission.WORKFLOW_EDIT,
    Permission.WORKFLOW_PUBLISH,
    Permission.WORKFLOW_DELETE,
    Permission.WORKFLOW_SHARE,
    Permission.TRIGGER_MANAGE,
    Permission.CONNECTION_USE,
    Permission.MODEL_USE,
    Permission.TEMPLATE_MANAGE,
}
_ADMIN = frozenset(Permission) - {Permission.ORGANIZATION_DELETE}

ROLE_PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: _ADMIN,
    Role.EDITOR: _EDITOR,
    Role.OPERATOR: _OPERATOR,
    Role.VIEWER: _VIEWER,
}
"""What each built-in role may do; each role includes the ones below it."""


class Via(StrEnum):
    """The door a call came through; audit entries keep it."""

    SESSION = "session"
    API_KEY = "api_key"
    SHARE = "share"
    WEBHOOK = "webhook"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts, in which organization, and what they may do there."""

    user_id: UUID | None
    """None for the system and for public pages."""
    organization_id: UUID
    permissions: frozenset[Permission]
    via: Via = Via.SESSION

    def may(self, permission: Permission) -> bool:
        """Tell whether the permission is given."""
        return permission in self.permissions

    def narrowed(self, scope: frozenset[Permission]) -> "Principal":
        """Return the same principal with only the permissions that are also in `scope` (API keys, shares)."""
        return Principal(self.user_id, self.organization_id, self.permissions & scope, self.via)


def system_principal(organization_id: UUID) -> Principal:
    """Return the principal of schedulers, triggers and recovery: it runs workflows and edits nothing."""
    return Principal(None, organization_id, _OPERATOR, Via.SYSTEM)


def permissions_of(roles: frozenset[str]) -> frozenset[Permission]:
    """Return what the built-in roles of these names allow together; other names add nothing."""
    return frozenset(
        permission for role, given in ROLE_PERMISSIONS.items() if role in roles for permission in given
    )


def authorize(principal: Principal, permission: Permission) -> None:
    """Let the call go on if the principal has the permission. Raises: ForbiddenError `access.forbidden`."""
    if permission in principal.permissions:
        return
    roles = [role for role in reversed(Role) if permission in ROLE_PERMISSIONS[role]]
    who = "This API key" if principal.via is Via.API_KEY else "This account"
    raise ForbiddenError(
        Problem(
            "access.forbidden",
            sentence("{who} may not {permission}.", who=who, permission=meaning(permission)),
            hint=sentence(
                "It needs {permission}, which the role {roles} has; ask an administrator for it.",
                permission=permission,
                roles=roles[0],
            ),
            details={"permission": permission.value, "roles": [role.value for role in roles]},
        )
    )
