"""Proofs that a node makes of what it holds, and the tags that it keeps to make them."""

from __future__ import annotations

import threading
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from caregrid.errors import InputInvalid, NotFound
from caregrid.proofs.podr2 import PUBLIC_KEY_LEN, Challenge, PublicKey, Scheme, accepts_tags, prove

if TYPE_CHECKING:
    from storage_network.node.fragments import FragmentStore

#: What a request to keep tags may be long: of the public scheme with its key, of the private one without.
TAGS_BODY_LENS: Final = frozenset({PUBLIC_KEY_LEN + Scheme.PUBLIC.tags_len, Scheme.PRIVATE.tags_len})

_PUBLIC_TAGS: Final = 0x12
_PRIVATE_TAGS: Final = 0x22


class Prover:
    """Keeps tags and answers challenges; methods block on disk and arithmetic, during which Python runs.

    A proof is computed from the fragment's file as it is now, and nothing of an earlier one is kept.
    """

    def __init__(self, store: FragmentStore) -> None:
        self._store = store
        self._last_key: PublicKey | None = None
        self._reading_key = threading.Lock()

    def keep(self, digest: bytes, name: bytes, body: bytes) -> None:
        """Keep a fragment's tags; those of the public scheme are checked: wrong ones would make us look bad.

        Args:
            digest: SHA-256 of the fragment.
            name: SHA-256 of the tags.
            body: the tags; of the public scheme behind the key that they are verified with.

        Raises:
            InputInvalid: they are not this fragment's tags under the key, of no scheme, or have another hash.
            DigestMismatch: the fragment is damaged.
            NotFound: the fragment is not here.
            DiskLow: there is no room for them.
        """
        fragment = self._store.read(digest)
        tags = self._checked(digest, fragment, body)
        if sha256(tags).digest() != name:
            raise InputInvalid("the tags do not have the hash that they are to be kept under")
        self._store.put_tags(digest, name, tags)

    def names(self, digest: bytes) -> list[bytes]:
        """Return the hashes of the sets of tags that are kept for a fragment.

        Raises:
            NotFound: the fragment is not here.
        """
        if self._store.size(digest) is None:
            raise NotFound("there is no such fragment")
        return self._store.tags.names(digest)

    def prove(self, digest: bytes, name: bytes, asked: bytes) -> bytes:
        """Answer a challenge.

        Raises:
            InputInvalid: it is none.
            NotFound: the fragment is not here; TagsUnknown where only the tags are not.
            DigestMismatch: the fragment is damaged.
        """
        challenge = Challenge.decode(asked)
        fragment = self._store.read(digest)
        return prove(fragment, self._store.tags.read(digest, name), challenge)

    def _checked(self, digest: bytes, fragment: bytes, body: bytes) -> bytes:
        if len(body) == Scheme.PRIVATE.tags_len and body[0] == _PRIVATE_TAGS:
            return body
        key, tags = body[:PUBLIC_KEY_LEN], body[PUBLIC_KEY_LEN:]
        if len(tags) != Scheme.PUBLIC.tags_len or tags[0] != _PUBLIC_TAGS:
            raise InputInvalid("these are tags of no scheme")
        if not accepts_tags(self._key(key), fragment, tags, digest=digest):
            raise InputInvalid("these are not the fragment's tags under this key")
        return tags

    def _key(self, encoded: bytes) -> PublicKey:
        # An owner tags many fragments one after another, and reading a key takes longer than a proof.
        with self._reading_key:
            if self._last_key is None or self._last_key.encoded != encoded:
                self._last_key = PublicKey(encoded)
            return self._last_key
