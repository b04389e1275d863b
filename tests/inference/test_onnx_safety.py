"""Model files that point outside themselves."""

import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from helpers.models import tiny_model
from modiste.inference.onnx_safety import points_outside


def outside_tensor() -> TensorProto:
    """A tensor whose data lies in another file."""
    tensor = TensorProto(name="secret", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="secret.bin")
    return tensor


def test_a_whole_model_points_nowhere() -> None:
    """A model with its weights inside is fine."""
    assert not points_outside(tiny_model())


@pytest.mark.parametrize("place", ["initializer", "attribute", "subgraph", "sparse", "function", "training"])
def test_a_pointer_is_found_wherever_it_lies(place: str) -> None:
    """A tensor outside is found in every place that ONNX has for tensors (fault 25)."""
    model = ModelProto.FromString(tiny_model())
    node = helper.make_node("Constant", [], ["x"], value=outside_tensor())
    if place == "initializer":
        model.graph.initializer.append(outside_tensor())
    elif place == "attribute":
        model.graph.node.append(node)
    elif place == "subgraph":
        inner = helper.make_graph([node], "inner", [], [])
        model.graph.node.append(helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner))
    elif place == "sparse":
        model.graph.sparse_initializer.add().values.CopyFrom(outside_tensor())
    elif place == "function":
        model.functions.append(helper.make_function("here", "f", [], ["x"], [node], []))
    else:
        model.training_info.add().algorithm.node.append(node)
    assert points_outside(model.SerializeToString())


def test_a_pointer_written_in_a_roundabout_way_is_found() -> None:
    """Numbers with more bytes than they need change nothing (fault 25)."""
    tensor = b"\xf0\x80\x00\x81\x80\x00"  # data_location = EXTERNAL, field and value in three bytes each
    graph = b"\x2a" + bytes([len(tensor)]) + tensor
    assert points_outside(b"\xba\x80\x00" + bytes([0x80 | len(graph), 0x00]) + graph)


@pytest.mark.parametrize("field", [13, 14])
def test_a_field_number_is_not_read_in_two_ways(field: int) -> None:
    """A key with bit 32 set, which the runtime cuts off and so sees as a pointer, is refused (fault 25)."""
    key = field << 3 | (2 if field == 13 else 0) | 1 << 32
    written = bytes([*(key >> 7 * place & 0x7F | 0x80 for place in range(4)), key >> 28])
    tensor = written + (b"\x00" if field == 13 else b"\x01")
    graph = b"\x2a" + length(tensor) + tensor
    with pytest.raises(ValueError, match="more than 32 bits"):
        points_outside(b"\x3a" + length(graph) + graph)


def test_a_default_location_is_no_pointer() -> None:
    """A tensor that says that its data is inside, as some tools write, is fine."""
    model = ModelProto.FromString(tiny_model())
    tensor = numpy_helper.from_array(numpy_helper.to_array(model.graph.initializer[0]))
    tensor.data_location = TensorProto.DEFAULT
    model.graph.initializer.append(tensor)
    assert not points_outside(model.SerializeToString())


@pytest.mark.parametrize("content", [b"\xff", b"\x0a\x7f", b"\x0b", b"\x80" * 20, b"\x09\0"])
def test_what_is_no_protocol_buffer_is_refused(content: bytes) -> None:
    """Bytes that cannot be walked to their end are no model."""
    with pytest.raises(ValueError, match=r"truncated|wire type|more than 10 bytes"):
        points_outside(content)


def test_a_nest_of_graphs_is_refused() -> None:
    """A model that nests without end does not exhaust the stack."""
    content = b""
    for _ in range(200):
        for key in (b"\x32", b"\x2a", b"\x0a"):  # a graph in an attribute in a node
            content = key + length(content) + content
    with pytest.raises(ValueError, match="too deep"):
        points_outside(b"\x3a" + length(content) + content)


def length(content: bytes) -> bytes:
    """The length of some bytes as a protocol buffer writes it."""
    value, written = len(content), bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])
