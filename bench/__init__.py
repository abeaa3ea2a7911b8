"""`make bench`: what StructForge does on this machine, each figure beside a floor measured in the same run.

Invariant: floors and program share server, driver, durability and client, and take turns, so that whatever else
the machine does hits both. Everything started here is ended here. Nothing imports this package.
"""
