"""What publication pins into a version is no change of the workflow."""

from structforge.domain.diff import difference
from structforge.domain.workflow import PIN, NodeSpec, WorkflowDocument


def test_a_pin_of_publication_is_neither_meaning_nor_difference() -> None:
    spec = NodeSpec(id="read", type="file.read", parameters={"file": "a.csv"})
    draft = WorkflowDocument(nodes=(spec,))
    version = WorkflowDocument(nodes=(spec.pinned({"delimiter": ";"}),))
    assert version.as_json()["nodes"][0]["parameters"][PIN]["delimiter"] == ";"
    assert version.content_hash() == draft.content_hash()
    assert not difference(version, draft)
    assert version.without_pins() == draft


def test_what_the_author_pinned_is_both() -> None:
    free = NodeSpec(id="read", type="file.read", parameters={"file": "a.csv"})
    mine = NodeSpec(id="read", type="file.read", parameters={"file": "a.csv", PIN: {"delimiter": ";"}})
    one, other = (WorkflowDocument(nodes=(spec,)) for spec in (free, mine))
    assert one.content_hash() != other.content_hash()
    assert difference(one, other)
    assert other.without_pins() == other
