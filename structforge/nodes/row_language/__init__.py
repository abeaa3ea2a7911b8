"""The row language: expressions over the columns of a row, computed column by column (docs/nodes/row-expressions.md).

Invariant: for each row a value is what the `{{ }}` language gives on that row's cells; where that language stops
because a value is null, the cell stays empty. Only table nodes and their documentation import it.
"""
