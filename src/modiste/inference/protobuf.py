"""Read the wire format of protocol buffers, without a schema; nothing is copied."""

from collections.abc import Iterator
from dataclasses import dataclass

MAX_INTEGERS = 100_000
"""Of a list; shapes and attributes have a few."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a message by their number, in their order; `length` is that of the message in bytes."""

    values: dict[int, list[int | memoryview]]
    length: int

    def has(self, tag: int) -> bool:
        """Return whether a field occurs."""
        return tag in self.values

    def integer(self, tag: int) -> int:
        """Return the last integer of a field, 0 without one."""
        value = self.values.get(tag, [0])[-1]
        if not isinstance(value, int):
            raise ValueError("bytes in place of an integer")  # noqa: TRY004 - of the file, not of an argument
        return value

    def integers(self, tag: int) -> list[int]:
        """Return a list of signed integers, packed or not."""
        numbers: list[int] = []
        for value in self.values.get(tag, []):
            if isinstance(value, int):
                numbers.append(as_signed(value))
                continue
            position = 0
            while position < len(value) and len(numbers) <= MAX_INTEGERS:
                integer, position = read_varint(value, position)
                numbers.append(as_signed(integer))
        if len(numbers) > MAX_INTEGERS:
            raise ValueError("a list of too many integers")
        return numbers

    def bytes(self, tag: int) -> bytes:
        """Return the bytes of a field, those of all its occurrences one after the other."""
        return b"".join(self._views(tag))

    def text(self, tag: int) -> str:
        """Return the last text of a field, empty without one."""
        return bytes(self._views(tag)[-1]).decode("utf-8", "backslashreplace") if tag in self.values else ""

    def texts(self, tag: int) -> tuple[str, ...]:
        """Return all texts of a field."""
        return tuple(bytes(view).decode("utf-8", "backslashreplace") for view in self._views(tag))

    def message(self, tag: int) -> "Fields":
        """Return a message; if it occurs several times, these are merged."""
        views = self._views(tag)
        return read_fields(views[0] if len(views) == 1 else memoryview(b"".join(views)))

    def messages(self, tag: int) -> Iterator["Fields"]:
        """Yield the messages of a list."""
        return map(read_fields, self._views(tag))

    def _views(self, tag: int) -> list[memoryview]:
        views = [value for value in self.values.get(tag, []) if isinstance(value, memoryview)]
        if len(views) != len(self.values.get(tag, [])):
            raise ValueError("an integer in place of bytes")
        return views


def as_signed(value: int) -> int:
    """Return the signed integer that 64 bits stand for."""
    return value - 2**64 if value >= 2**63 else value


def read_fields(data: memoryview) -> Fields:
    """Read all fields of a message; raises ValueError if it is not one."""
    values: dict[int, list[int | memoryview]] = {}
    for tag, value in iterate_fields(data):
        values.setdefault(tag, []).append(value)
    return Fields(values, len(data))


def iterate_fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field: an integer, or the bytes of any other type."""
    position = 0
    while position < len(data):
        key, position = read_varint(data, position)
        if key >= 2**32:  # a parser that keeps 32 bits of it would read another field
            raise ValueError("a field key of more than 32 bits")
        kind = key & 7
        if kind == 0:
            value, position = read_varint(data, position)
            yield key >> 3, value
            continue
        if kind == 2:
            length, position = read_varint(data, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:  # groups, which ONNX does not use
            raise ValueError(f"wire type {kind}")
        if position + length > len(data):
            raise ValueError("truncated")
        yield key >> 3, data[position : position + length]
        position += length


def read_varint(data: memoryview, position: int) -> tuple[int, int]:
    """Read an integer of 7 bits per byte; return it and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("truncated")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), position
    raise ValueError("a number of more than 10 bytes")
