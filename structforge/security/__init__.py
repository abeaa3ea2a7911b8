"""Passwords, tokens, keys, redaction and the guarded HTTP client.

Invariant: a secret leaves this package only as a hash, a signature or ciphertext. Imports `domain` only.
"""
