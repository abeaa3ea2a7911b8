"""Forms of files: bytes to frames and back, for the nodes that read and write and for the preview.

Invariant: what cannot be read exactly is a coded error with its place; no bytes end in anything else.
"""
