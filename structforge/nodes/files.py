"""The nodes that read and write files.

Invariant: as in the modules of the two.
"""

from structforge.nodes.file_read import ReadFile, ReadFileParameters
from structforge.nodes.file_write import WriteFile, WriteFileParameters

__all__ = ["ReadFile", "ReadFileParameters", "WriteFile", "WriteFileParameters"]
