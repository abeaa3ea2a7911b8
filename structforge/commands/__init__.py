"""One module per command of the command line; `structforge/cli.py` lists them.

Invariant: a module here only reads its options, calls what does the work, and prints; entry points may see
everything, nothing imports them.
"""
