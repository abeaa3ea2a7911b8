"""Use cases. The only layer that authorises, opens a transaction and writes the audit entry.

Invariant: every method that touches a tenant's data takes a `Principal` and loads by (organization, id).
"""
