"""Durable state: PostgreSQL tables, migrations, repositories, the hot journal and the artifact files.

Invariant: nothing here authorises; `services` and `engine` decide where a transaction begins and ends.
"""
