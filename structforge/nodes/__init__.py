"""The built-in node types, one file a family. They use the SDK as a plugin does and nothing else of the
program.

Invariant: a built-in has no door of its own; `builtin.register` goes through `structforge.plugins` like any
plugin.
"""
