"""`structforge chaos`: real processes are killed, frozen and starved; then what was promised is counted.

Invariant: it signals only processes of its own home folder, which is removed afterwards. Imported by its command
alone; its node types exist in its own processes only, by way of the door that plugins use.
"""
