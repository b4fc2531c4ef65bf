"""Signatures by the Standard Webhooks scheme, version 1. Sends nothing and stores nothing.

Source: the specification of standard-webhooks, whose receivers and OpenAI's client verify them.
"""

import base64
import hashlib
import hmac
import secrets

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(secret: str, message_id: str, at: float, body: str) -> dict[str, str]:
    """The three headers that prove who sent a body, and when; `at`: seconds since the epoch."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{int(at)}.{body}".encode()
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": f"v1,{signature}",
    }
