"""Model files whose tensors are stored outside the file."""

import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from helpers.models import tiny_model
from modiste.inference.onnx_safety import has_external_data


def external_tensor() -> TensorProto:
    """Return a tensor whose data is in another file."""
    tensor = TensorProto(name="secret", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="secret.bin")
    return tensor


def test_a_model_with_its_weights_inside_is_accepted() -> None:
    """It has no external data."""
    assert not has_external_data(tiny_model())


@pytest.mark.parametrize("place", ["initializer", "attribute", "subgraph", "sparse", "function", "training"])
def test_fault_25_external_data_is_detected_in_every_place(place: str) -> None:
    """That ONNX has for tensors (fault 25)."""
    model = ModelProto.FromString(tiny_model())
    node = helper.make_node("Constant", [], ["x"], value=external_tensor())
    if place == "initializer":
        model.graph.initializer.append(external_tensor())
    elif place == "attribute":
        model.graph.node.append(node)
    elif place == "subgraph":
        inner = helper.make_graph([node], "inner", [], [])
        model.graph.node.append(helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner))
    elif place == "sparse":
        model.graph.sparse_initializer.add().values.CopyFrom(external_tensor())
    elif place == "function":
        model.functions.append(helper.make_function("here", "f", [], ["x"], [node], []))
    else:
        model.training_info.add().algorithm.node.append(node)
    assert has_external_data(model.SerializeToString())


def test_external_data_is_detected_in_a_redundant_encoding() -> None:
    """Integers with more bytes than they need (fault 25)."""
    tensor = b"\xf0\x80\x00\x81\x80\x00"  # data_location = EXTERNAL, field and value in three bytes each
    graph = b"\x2a" + bytes([len(tensor)]) + tensor
    assert has_external_data(b"\xba\x80\x00" + bytes([0x80 | len(graph), 0x00]) + graph)


@pytest.mark.parametrize("field", [13, 14])
def test_an_ambiguous_field_number_is_refused(field: int) -> None:
    """A key with bit 32 set, which the runtime cuts off, so that it reads another field (fault 25)."""
    key = field << 3 | (2 if field == 13 else 0) | 1 << 32
    encoded = bytes([*(key >> 7 * place & 0x7F | 0x80 for place in range(4)), key >> 28])
    tensor = encoded + (b"\x00" if field == 13 else b"\x01")
    graph = b"\x2a" + length(tensor) + tensor
    with pytest.raises(ValueError, match="more than 32 bits"):
        has_external_data(b"\x3a" + length(graph) + graph)


def test_the_default_data_location_is_accepted() -> None:
    """Some tools write it explicitly for tensors inside the file."""
    model = ModelProto.FromString(tiny_model())
    tensor = numpy_helper.from_array(numpy_helper.to_array(model.graph.initializer[0]))
    tensor.data_location = TensorProto.DEFAULT
    model.graph.initializer.append(tensor)
    assert not has_external_data(model.SerializeToString())


@pytest.mark.parametrize("content", [b"\xff", b"\x0a\x7f", b"\x0b", b"\x80" * 20, b"\x09\0"])
def test_an_invalid_protocol_buffer_is_refused(content: bytes) -> None:
    """Truncated, or with an unknown wire type."""
    with pytest.raises(ValueError, match=r"truncated|wire type|more than 10 bytes"):
        has_external_data(content)


def test_deeply_nested_graphs_are_refused() -> None:
    """They do not exhaust the stack."""
    content = b""
    for _ in range(200):
        for key in (b"\x32", b"\x2a", b"\x0a"):  # a graph in an attribute in a node
            content = key + length(content) + content
    with pytest.raises(ValueError, match="too deep"):
        has_external_data(b"\x3a" + length(content) + content)


def length(content: bytes) -> bytes:
    """Return the length of some bytes as a protocol buffer encodes it."""
    value, encoded = len(content), bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
