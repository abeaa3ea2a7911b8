"""Import and export of workflows: our own file format, and those of other systems.

Invariant: reading a file runs nothing and reaches nothing; what cannot be taken over is told, never dropped.
"""
