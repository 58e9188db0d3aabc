"""Makes a newer runtime of one that is built: another version, and an event of another name.

The version stands in a runtime in three ways: in a section of its own, for the node; as a constant in the
data of the module, perhaps more than once; and in the code that puts both versions behind what is signed,
which the compiler has made into one number. All of it is found by the whole version, never by the one number,
and nothing changes its length. Should a compiler do it otherwise one day, this fails and says where.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.acceptance.outsider.scale import Cursor

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Stands before a runtime that is compressed by zstd.
COMPRESSED: Final = bytes.fromhex("52bc537646db8e05")
#: The longest runtime that is accepted.
MAX_LEN: Final = 50 << 20
ZSTD_TIMEOUT_S: Final = 60

_CUSTOM_SECTION: Final = 0
_CODE_SECTION: Final = 10
_DATA_SECTION: Final = 11
#: WebAssembly's instruction that puts a 64-bit number on the stack.
_I64_CONST: Final = b"\x42"
#: In memory a text or a list that is borrowed: no capacity of its own, where it lies, how long it is.
_BORROWED: Final = rb"\x00\x00\x00\x80....%b\x00\x00\x00"


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """What the section `runtime_version` says."""

    spec_name: str
    impl_name: str
    authoring: int
    spec: int
    impl: int
    transaction: int
    system: int

    @classmethod
    def read(cls, encoded: bytes) -> Version:
        """Decode it."""
        cursor = Cursor(encoded)
        names = [cursor.take(cursor.compact()).decode() for _ in range(2)]
        authoring, spec, impl = (int.from_bytes(cursor.take(4), "little") for _ in range(3))
        assert cursor.compact() == 0, "its runtime APIs stand in a section of their own"
        transaction, system = int.from_bytes(cursor.take(4), "little"), cursor.take(1)[0]
        assert cursor.rest() == b""
        return cls(
            spec_name=names[0],
            impl_name=names[1],
            authoring=authoring,
            spec=spec,
            impl=impl,
            transaction=transaction,
            system=system,
        )

    @property
    def numbers(self) -> bytes:
        """How its numbers lie behind each other in memory."""
        return b"".join(
            number.to_bytes(4, "little")
            for number in (self.authoring, self.spec, self.impl, self.transaction)
        ) + bytes([self.system])

    @property
    def in_memory(self) -> re.Pattern[bytes]:
        """What the constant looks like: two names, the list of APIs, the numbers."""
        lengths = [bytes([len(self.spec_name)]), bytes([len(self.impl_name)])]
        texts = b"".join(_BORROWED % re.escape(length) for length in lengths)
        return re.compile(texts + _BORROWED % b"." + re.escape(self.numbers), re.DOTALL)


def newer(runtime: bytes, *, renamed: tuple[bytes, bytes]) -> tuple[bytes, int]:
    """Return a runtime with the next `spec_version` and a name changed in its metadata, and that version."""
    module = bytearray(_zstd("-d", runtime.removeprefix(COMPRESSED)))
    [(start, end)] = [place for name, *place in _sections(module) if name == b"runtime_version"]
    version = Version.read(bytes(module[start:end]))
    numbers = version.numbers
    spec = (version.spec + 1).to_bytes(4, "little")
    # Behind the two names, each with a byte for its length, and the first number.
    at = start + 2 + len(version.spec_name) + len(version.impl_name) + 4
    assert module[at : at + 4] == numbers[4:8]
    module[at : at + 4] = spec
    [(start, end)] = [place for name, *place in _sections(module) if name == _DATA_SECTION]
    found = [match.end() - len(numbers) for match in version.in_memory.finditer(module, start, end)]
    assert 1 <= len(found) <= 4, found
    for place in found:
        module[place + 4 : place + 8] = spec
    old, new = (_signed_with(number, version.transaction) for number in (version.spec, version.spec + 1))
    [(start, end)] = [place for name, *place in _sections(module) if name == _CODE_SECTION]
    assert 1 == module.count(old, start, end), "the code signs with a version that is not found"
    assert len(old) == len(new)
    module = module.replace(old, new)
    before, after = renamed
    assert len(before) == len(after)
    assert 1 == module.count(before)
    return COMPRESSED + _zstd("-19", bytes(module.replace(before, after))), version.spec + 1


def _signed_with(spec: int, transaction: int) -> bytes:
    """Return the instruction for both versions at once."""
    value, encoded = transaction << 32 | spec, bytearray(_I64_CONST)
    while value > 63:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes(encoded) + bytes([value])


def _sections(module: bytearray) -> Iterator[tuple[bytes | int, int, int]]:
    """Yield sections with their places: custom ones by name, others by number."""
    at = 8
    while at < len(module):
        kind = module[at]
        length, at = _leb128(module, at + 1)
        end, start, name = at + length, at, kind
        if kind == _CUSTOM_SECTION:
            count, start = _leb128(module, at)
            yield bytes(module[start : start + count]), start + count, end
        else:
            yield name, start, end
        at = end


def _leb128(data: bytearray, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def _zstd(option: str, data: bytes) -> bytes:
    program = shutil.which("zstd")
    assert program is not None, "install Debian's package zstd"
    done = subprocess.run(
        [program, option, "-c", "-q"], input=data, capture_output=True, check=True, timeout=ZSTD_TIMEOUT_S
    )
    assert len(done.stdout) < MAX_LEN
    return done.stdout
