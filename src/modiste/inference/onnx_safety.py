"""Check before ONNX Runtime opens a model file: all its tensors must be stored inside the file.

An ONNX tensor may refer to another file or to an address in memory, and ONNX Runtime follows some of these references.
This check visits every place in the protocol buffer that can hold a tensor (onnx.proto3), without decoding any.
"""

from collections.abc import Iterator

EXTERNAL_FIELDS = (13, 14)
"""TensorProto.external_data and TensorProto.data_location."""

CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "sparse": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "tensor": {},
}
"""Message type and field number -> type of the nested message."""

MAX_DEPTH = 50
MAX_FIELDS = 2_000_000


def has_external_data(content: bytes) -> bool:
    """Return whether a tensor of an ONNX model refers to data outside the file.

    Raises:
        ValueError: the content is not a protocol buffer.
    """
    stack = [("model", memoryview(content), 0)]
    field_count = 0
    while stack:
        message, data, depth = stack.pop()
        for field, value in _iterate_fields(data):
            field_count += 1
            if field_count > MAX_FIELDS or depth > MAX_DEPTH:
                raise ValueError("too many fields, or nested too deep")
            if message == "tensor" and field in EXTERNAL_FIELDS and value != 0:
                return True
            child = CHILDREN[message].get(field)
            if child is not None and isinstance(value, memoryview):
                stack.append((child, value, depth + 1))
    return False


def _iterate_fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field: an integer, or the bytes of any other type."""
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        if key >= 2**32:  # a parser that keeps 32 bits of it would read another field
            raise ValueError("a field key of more than 32 bits")
        kind = key & 7
        if kind == 0:
            value, position = _read_varint(data, position)
            yield key >> 3, value
            continue
        if kind == 2:
            length, position = _read_varint(data, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:  # groups, which ONNX does not use
            raise ValueError(f"wire type {kind}")
        if position + length > len(data):
            raise ValueError("truncated")
        yield key >> 3, data[position : position + length]
        position += length


def _read_varint(data: memoryview, position: int) -> tuple[int, int]:
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
