"""Edits of a draft: small operations that several people can make on one document at the same time.

Invariant: an edit names what it changes and nothing else, so edits of different things never undo each other;
applying what `Applied.inverse` holds gives the document back. Any layer may import it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from structforge.domain.errors import InvalidError, Problem, sentence
from structforge.domain.expressions.problems import suggestion
from structforge.domain.faults import fault_sentence, names_at
from structforge.domain.model_json import model_json
from structforge.domain.policies import Policies
from structforge.domain.renaming import NOTHING, spec_with_names
from structforge.domain.validation.references import RESERVED_IDS
from structforge.domain.values import canonical_json, encode_json
from structforge.domain.workflow import (
    MAX_EDGES,
    MAX_NODES,
    Edge,
    Layout,
    LayoutNote,
    NodeId,
    NodeSpec,
    Position,
    WorkflowDocument,
    WorkflowSettings,
)

MAX_EDITS = 10_000


class _Edit(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AddNode(_Edit):
    """Put a node on the canvas; its id must be free."""

    kind: Literal["add_node"] = "add_node"
    node: NodeSpec
    position: Position = Position()


class RemoveNode(_Edit):
    """Take a node away, with its edges."""

    kind: Literal["remove_node"] = "remove_node"
    id: NodeId


class Seen(_Edit):
    """The value that whoever edits had before them."""

    value: Any = None
    unset: bool = False


class SetTitle(_Edit):
    """Name a node; `seen` as in `SetParameter`."""

    kind: Literal["set_title"] = "set_title"
    id: NodeId
    title: Annotated[str, Field(max_length=200)]
    seen: Seen | None = None


class RenameNode(_Edit):
    """Give a node another id, also where edges and expressions name it."""

    kind: Literal["rename_node"] = "rename_node"
    id: NodeId
    to: NodeId


class SetDisabled(_Edit):
    """Turn a node off or on."""

    kind: Literal["set_disabled"] = "set_disabled"
    id: NodeId
    disabled: bool


class SetParameter(_Edit):
    """Give one parameter a value; `unset` takes it away, so that its default holds.

    With `seen` it is refused when the draft holds another value by now: somebody else changed it meanwhile.
    """

    kind: Literal["set_parameter"] = "set_parameter"
    id: NodeId
    name: Annotated[str, Field(min_length=1, max_length=100)]
    value: Any = None
    unset: bool = False
    seen: Seen | None = None


class SetPolicy(_Edit):
    """Change one policy of a node; `seen` as in `SetParameter`."""

    kind: Literal["set_policy"] = "set_policy"
    id: NodeId
    name: Annotated[str, Field(min_length=1, max_length=100)]
    value: Any = None
    seen: Seen | None = None


class AddEdge(_Edit):
    """Connect two ports."""

    kind: Literal["add_edge"] = "add_edge"
    edge: Edge


class RemoveEdge(_Edit):
    """Cut a connection."""

    kind: Literal["remove_edge"] = "remove_edge"
    edge: Edge


class Move(_Edit):
    """Place nodes on the canvas."""

    kind: Literal["move"] = "move"
    positions: Annotated[dict[NodeId, Position], Field(max_length=MAX_NODES)]


class PutNote(_Edit):
    """Write or change a sticky note; `seen` is its text as it was where it was written, as in `SetParameter`."""

    kind: Literal["put_note"] = "put_note"
    note: LayoutNote
    seen: Seen | None = None


class RemoveNote(_Edit):
    """Take a sticky note away."""

    kind: Literal["remove_note"] = "remove_note"
    id: Annotated[str, Field(max_length=48)]


class SetSetting(_Edit):
    """Change one setting of the whole workflow; `seen` as in `SetParameter`."""

    kind: Literal["set_setting"] = "set_setting"
    name: Annotated[str, Field(min_length=1, max_length=100)]
    value: Any = None
    seen: Seen | None = None


class SetInputs(_Edit):
    """Declare what a run takes, as a JSON Schema; an empty one takes any object. `seen` as in `SetParameter`."""

    kind: Literal["set_inputs"] = "set_inputs"
    value: dict[str, Any] = Field(default_factory=dict)
    seen: Seen | None = None


class SetDocumentation(_Edit):
    """Change the workflow's own text; `seen` as in `SetParameter`."""

    kind: Literal["set_documentation"] = "set_documentation"
    text: Annotated[str, Field(max_length=200_000)]
    seen: Seen | None = None


Edit = Annotated[
    AddNode
    | RemoveNode
    | SetTitle
    | RenameNode
    | SetDisabled
    | SetParameter
    | SetPolicy
    | AddEdge
    | RemoveEdge
    | Move
    | PutNote
    | RemoveNote
    | SetSetting
    | SetInputs
    | SetDocumentation,
    Field(discriminator="kind"),
]

_EDITS: TypeAdapter[list[Edit]] = TypeAdapter(Annotated[list[Edit], Field(max_length=MAX_EDITS)])


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a list of edits."""

    document: WorkflowDocument
    made: list[Edit]
    """The edits that changed something, in order."""
    inverse: list[Edit]
    """Undoes `made`."""
    refused: list[Problem] = field(default_factory=list)
    """One for each edit that could not be made: what it names is gone or taken."""


def parse_edits(body: object) -> list[Edit]:
    """Read edits from JSON. Raises: InvalidError with one problem per fault."""
    try:
        return _EDITS.validate_python(body)
    except ValidationError as error:
        raise InvalidError(
            *(
                Problem(
                    "edit.invalid",
                    sentence("{msg}.", msg=fault_sentence(fault)),
                    ".".join(map(str, ("edits", *fault["loc"]))),
                    "See the description of the edits in /api/docs.",
                )
                for fault in error.errors(include_url=False, include_input=False)[:20]
            )
        ) from None


def _known(model: type[BaseModel], fault: ErrorDetails) -> str:
    """Return what there is instead of a name that is not known."""
    if fault["type"] != "extra_forbidden" or not fault["loc"]:
        return ""
    return suggestion(str(fault["loc"][-1]), names_at(model, fault["loc"]), "fields")


def edits_json(edits: Sequence[Edit]) -> list[dict[str, Any]]:
    """Return edits as JSON, defaults of nodes and edges left out."""
    return [model_json(edit, exclude_defaults=True) | {"kind": edit.kind} for edit in edits]


def apply(
    document: WorkflowDocument, edits: Sequence[Edit], literal: Callable[[str], Collection[str]] | None = None
) -> Applied:
    """Make the edits in order; what cannot be made is refused and the rest still made.

    `literal` tells which parameters of a node type hold no expressions.
    """
    draft = _Draft(document, literal or (lambda node_type: NOTHING))
    made: list[Edit] = []
    inverse: list[Edit] = []
    refused: list[Problem] = []
    for edit in edits:
        try:
            undo = draft.make(edit)
        except _Refused as refusal:
            refused.append(refusal.problem)
            if refusal.problem.code == "edit.conflict":
                # What makes it so all the same.
                refusal.problem.details["edit"] = edits_json([edit.model_copy(update={"seen": None})])[0]
            continue
        if undo is not None:
            # What somebody saw decides this once, and is no part of what was done.
            seen = getattr(edit, "seen", None) is not None
            made.append(edit.model_copy(update={"seen": None}) if seen else edit)
            inverse[:0] = undo
    return Applied(draft.document(), made, inverse, refused)


class _Refused(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _same(left: Any, right: Any) -> bool:
    """Tell whether two JSON values are written alike: for Python true is 1, and the order of keys is none."""
    return encode_json(left) == encode_json(right)


def _means(left: Any, right: Any) -> bool:
    """Tell whether two JSON values mean the same: a browser writes 30.0 as 30."""
    return canonical_json(left) == canonical_json(right)


def _conflict(node_id: str, part: str, name: str, theirs: Seen) -> _Refused:
    """Refuse to overwrite a value of a node, or with an empty id one of the workflow itself."""
    whose, where = (repr(node_id), f"nodes.{node_id}.{part}.{name}") if node_id else ("the workflow", name)
    return _Refused(
        Problem(
            "edit.conflict",
            sentence("Somebody else changed {name} of {whose} meanwhile.", name=name, whose=whose),
            where,
            "Look at both and choose.",
            {"id": node_id, "part": part, "name": name, "theirs": theirs.value, "unset": theirs.unset},
        )
    )


def _taken(node_id: str) -> _Refused:
    return _Refused(
        Problem(
            "edit.id_taken",
            sentence("There is a node {id} already.", id=repr(node_id)),
            f"nodes.{node_id}",
            "Choose another name.",
        )
    )


class _Draft:
    """A document taken apart for changing. `make` returns what undoes the edit, or None when nothing changed."""

    def __init__(self, document: WorkflowDocument, literal: Callable[[str], Collection[str]]) -> None:
        self._literal = literal
        self._start = document
        self._nodes = {node.id: node for node in document.nodes}
        self._edges = dict.fromkeys(document.edges)
        self._positions = dict(document.layout.positions)
        self._notes = {note.id: note for note in document.layout.notes}
        self._settings = document.settings
        self._inputs = document.inputs
        self._documentation = document.documentation
        self._makers: Mapping[type[BaseModel], Callable[[Any], list[Edit] | None]] = {
            AddNode: self._add_node,
            RemoveNode: self._remove_node,
            SetTitle: self._set_title,
            RenameNode: self._rename_node,
            SetDisabled: self._set_disabled,
            SetParameter: self._set_parameter,
            SetPolicy: self._set_policy,
            AddEdge: self._add_edge,
            RemoveEdge: self._remove_edge,
            Move: self._move,
            PutNote: self._put_note,
            RemoveNote: self._remove_note,
            SetSetting: self._set_setting,
            SetInputs: self._set_inputs,
            SetDocumentation: self._set_documentation,
        }

    def make(self, edit: Edit) -> list[Edit] | None:
        return self._makers[type(edit)](edit)

    def document(self) -> WorkflowDocument:
        return self._start.model_copy(
            update={
                "nodes": tuple(self._nodes.values()),
                "edges": tuple(self._edges),
                "settings": self._settings,
                "inputs": self._inputs,
                "documentation": self._documentation,
                "layout": Layout(positions=self._positions, notes=tuple(self._notes.values())),
            }
        )

    def _node(self, node_id: str) -> NodeSpec:
        if node_id not in self._nodes:
            raise _Refused(
                Problem(
                    "edit.node_gone",
                    sentence("The node {node_id} is not there any more.", node_id=repr(node_id)),
                    f"nodes.{node_id}",
                    "Somebody removed it meanwhile; undo their change or make the node again.",
                )
            )
        return self._nodes[node_id]

    def _add_node(self, edit: AddNode) -> list[Edit]:
        if edit.node.id in self._nodes:
            raise _taken(edit.node.id)
        if len(self._nodes) >= MAX_NODES:
            raise _Refused(
                Problem(
                    "edit.too_many_nodes",
                    sentence("A workflow has at most {max_nodes} nodes.", max_nodes=MAX_NODES),
                    "nodes",
                )
            )
        self._nodes[edit.node.id] = edit.node
        self._positions[edit.node.id] = edit.position
        return [RemoveNode(id=edit.node.id)]

    def _remove_node(self, edit: RemoveNode) -> list[Edit] | None:
        if edit.id not in self._nodes:
            return None
        undo: list[Edit] = [
            AddNode(node=self._nodes.pop(edit.id), position=self._positions.pop(edit.id, Position()))
        ]
        for edge in [edge for edge in self._edges if edit.id in (edge.source, edge.target)]:
            del self._edges[edge]
            undo.append(AddEdge(edge=edge))
        return undo

    def _rename_node(self, edit: RenameNode) -> list[Edit] | None:
        self._node(edit.id)
        if edit.to == edit.id:
            return None
        if edit.to in self._nodes:
            raise _taken(edit.to)
        if edit.to in RESERVED_IDS:
            raise _Refused(
                Problem(
                    "edit.id_reserved",
                    sentence("{id} means something else in expressions.", id=repr(edit.to)),
                    f"nodes.{edit.id}",
                    "Choose another name.",
                )
            )
        names, back = {edit.id: edit.to}, {edit.to: edit.id}
        undo: list[Edit] = [RenameNode(id=edit.to, to=edit.id)]
        renamed: dict[str, NodeSpec] = {}
        for spec in self._nodes.values():
            literal = self._literal(spec.type)
            changed = spec_with_names(spec, names, literal)
            again = spec_with_names(changed, back, literal)
            # What named the new id while there was no such node means the renamed one now; undone, it is as it was.
            undo += [
                SetParameter(id=spec.id, name=name, value=value)
                for name, value in spec.parameters.items()
                if again.parameters[name] != value
            ]
            if again.policies != spec.policies:
                each = model_json(spec.policies)["each"]
                undo.append(SetPolicy(id=spec.id, name="each", value=each))
            if spec.id == edit.id:
                changed = changed.model_copy(update={"id": edit.to})
            renamed[changed.id] = changed
        self._nodes = renamed
        self._edges = dict.fromkeys(
            edge.model_copy(
                update={
                    "source": names.get(edge.source, edge.source),
                    "target": names.get(edge.target, edge.target),
                }
            )
            for edge in self._edges
        )
        self._positions = {names.get(name, name): at for name, at in self._positions.items()}
        return undo

    def _set_title(self, edit: SetTitle) -> list[Edit] | None:
        before = self._node(edit.id)
        if before.title == edit.title:
            return None
        if edit.seen is not None and before.title != edit.seen.value:
            raise _conflict(edit.id, "title", "title", Seen(value=before.title))
        self._nodes[edit.id] = before.model_copy(update={"title": edit.title})
        return [SetTitle(id=edit.id, title=before.title)]

    def _set_disabled(self, edit: SetDisabled) -> list[Edit] | None:
        before = self._node(edit.id)
        if before.disabled == edit.disabled:
            return None
        self._nodes[edit.id] = before.model_copy(update={"disabled": edit.disabled})
        return [SetDisabled(id=edit.id, disabled=before.disabled)]

    def _set_parameter(self, edit: SetParameter) -> list[Edit] | None:
        before = self._node(edit.id)
        had = edit.name in before.parameters
        if edit.unset:
            if not had:
                return None
            parameters = {name: value for name, value in before.parameters.items() if name != edit.name}
        else:
            if had and _same(before.parameters[edit.name], edit.value):
                return None
            parameters = {**before.parameters, edit.name: edit.value}
        if edit.seen is not None and (
            had == edit.seen.unset or (had and not _means(before.parameters[edit.name], edit.seen.value))
        ):
            theirs = Seen(value=before.parameters.get(edit.name), unset=not had)
            raise _conflict(edit.id, "parameters", edit.name, theirs)
        self._nodes[edit.id] = before.model_copy(update={"parameters": parameters})
        return [
            SetParameter(id=edit.id, name=edit.name, value=before.parameters.get(edit.name), unset=not had)
        ]

    def _set_policy(self, edit: SetPolicy) -> list[Edit] | None:
        before = self._node(edit.id)
        old = model_json(before.policies)
        try:
            policies = Policies.model_validate({**old, edit.name: edit.value})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, ("nodes", edit.id, "policies", *first["loc"])))
            raise _Refused(
                Problem(
                    "edit.policy_invalid",
                    sentence("{msg}.", msg=fault_sentence(first)),
                    where,
                    _known(Policies, first),
                )
            ) from None
        if policies == before.policies:
            return None
        if edit.seen is not None and not edit.seen.unset and not _means(old[edit.name], edit.seen.value):
            raise _conflict(edit.id, "policies", edit.name, Seen(value=old[edit.name]))
        self._nodes[edit.id] = before.model_copy(update={"policies": policies})
        return [SetPolicy(id=edit.id, name=edit.name, value=old[edit.name])]

    def _add_edge(self, edit: AddEdge) -> list[Edit] | None:
        if edit.edge in self._edges:
            return None
        self._node(edit.edge.source)
        self._node(edit.edge.target)
        if len(self._edges) >= MAX_EDGES:
            raise _Refused(
                Problem(
                    "edit.too_many_edges",
                    sentence("A workflow has at most {max_edges} edges.", max_edges=MAX_EDGES),
                    "edges",
                )
            )
        self._edges[edit.edge] = None
        return [RemoveEdge(edge=edit.edge)]

    def _remove_edge(self, edit: RemoveEdge) -> list[Edit] | None:
        if edit.edge not in self._edges:
            return None
        del self._edges[edit.edge]
        return [AddEdge(edge=edit.edge)]

    def _move(self, edit: Move) -> list[Edit] | None:
        moved = {
            node_id: position
            for node_id, position in edit.positions.items()
            if node_id in self._nodes and self._positions.get(node_id) != position
        }
        if not moved:
            return None
        before = {node_id: self._positions.get(node_id, Position()) for node_id in moved}
        self._positions.update(moved)
        return [Move(positions=before)]

    def _put_note(self, edit: PutNote) -> list[Edit] | None:
        before = self._notes.get(edit.note.id)
        if before == edit.note:
            return None
        if edit.seen is not None and (before is None or before.text not in (edit.seen.value, edit.note.text)):
            theirs = Seen(unset=True) if before is None else Seen(value=before.text)
            raise _conflict("", "notes", edit.note.id, theirs)
        self._notes[edit.note.id] = edit.note
        return [RemoveNote(id=edit.note.id) if before is None else PutNote(note=before)]

    def _remove_note(self, edit: RemoveNote) -> list[Edit] | None:
        before = self._notes.pop(edit.id, None)
        return None if before is None else [PutNote(note=before)]

    def _set_setting(self, edit: SetSetting) -> list[Edit] | None:
        old = model_json(self._settings)
        try:
            settings = WorkflowSettings.model_validate({**old, edit.name: edit.value})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, ("settings", *first["loc"])))
            raise _Refused(
                Problem(
                    "edit.setting_invalid",
                    sentence("{msg}.", msg=fault_sentence(first)),
                    where,
                    _known(WorkflowSettings, first),
                )
            ) from None
        if settings == self._settings:
            return None
        if edit.seen is not None and not _means(old[edit.name], edit.seen.value):
            raise _conflict("", "settings", edit.name, Seen(value=old[edit.name]))
        self._settings = settings
        return [SetSetting(name=edit.name, value=old[edit.name])]

    def _set_inputs(self, edit: SetInputs) -> list[Edit] | None:
        before = self._inputs
        if _same(before, edit.value):
            return None
        if edit.seen is not None and not _means(before, edit.seen.value):
            raise _conflict("", "settings", "inputs", Seen(value=before))
        self._inputs = edit.value
        return [SetInputs(value=before)]

    def _set_documentation(self, edit: SetDocumentation) -> list[Edit] | None:
        before = self._documentation
        if before == edit.text:
            return None
        if edit.seen is not None and before != edit.seen.value:
            raise _conflict("", "settings", "documentation", Seen(value=before))
        self._documentation = edit.text
        return [SetDocumentation(text=before)]
