"""The loop node: what stands between its `body` and its `again` is done again and again.

Invariant: the engine runs it; the class only declares what it is.
"""

from structforge.domain.ports import Port
from structforge.sdk import Example, Inputs, Node, NodeContext, Result
from structforge.sdk.control import LoopParameters


class Loop(Node[LoopParameters]):
    """Do the nodes between `body` and `again` for each item of a list, or until a condition holds.

    Connect `body` to the first node of what is to be repeated and the last one back to `again`. Inside, `item`
    is the element and `index` its place, from 0; an inner loop hides the names of an outer one, which can still be
    reached by the loop's own name: `{{ loop.item }}`.

    - **For each item**: `done` gives the list of what arrived at `again`, in the order of the items. A branch that
      never reaches `again` leaves its item out. An empty list gives `[]`. With more than one iteration at a time
      they run side by side; the order of the results stays.
    - **Until**: the first iteration's `item` is the loop's input, each later one's is the result before. `done`
      gives the last result. A loop that has not ended after *At most* iterations fails.

    **Example**: *Items* `{{ orders.rows }}`, and inside an HTTP request to `https://example.com/orders/{{ item.id }}`.
    """

    type = "flow.loop"
    title = "Loop"
    category = "flow"
    icon = "repeat"
    keywords = ("for each", "iterate", "while", "until", "repeat")
    inputs = (Port("in", required=False), Port("again", title="Again", required=False))
    outputs = (Port("body", title="Body"), Port("done", title="Done"))
    loop = True
    examples = (
        Example(title="Each order", parameters={"items": "{{ orders.rows }}", "concurrency": 4}),
        Example(
            title="Until the job is done",
            parameters={"mode": "repeat", "until": "{{ result.state == 'done' }}"},
        ),
    )
    Parameters = LoopParameters

    def run(self, context: NodeContext, parameters: LoopParameters, inputs: Inputs) -> Result:
        """Never called: the engine repeats the region."""
        raise RuntimeError("a loop is run by the engine")
