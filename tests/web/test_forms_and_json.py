"""Bodies that are no photo: forms with names and options, and JSON with base64."""

import base64
import json

import pytest

from helpers.service import BOOT, Service, form

MIB = 2**20


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shirts/1.png", "1.png"),
        ("../../x", "x"),
        ("C:\\a\\b.png", "b.png"),
        ("衬衫.png", "衬衫.png"),
        ("x" * 1000, "x" * 255),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\0b", "ab"),
    ],
    ids=["folder", "up", "windows", "unicode", "long", "rtl", "nul"],
)
def test_the_response_has_the_name_of_the_file(service: Service, name: str, expected: str) -> None:
    """Without folders and characters that cannot be printed; the name is used for nothing else (fault 13)."""
    status, response, _ = service.ask("POST", "/predict", *form((name, BOOT)))
    assert (status, response[0]["file"]) == (200, expected)


def test_a_form_can_have_the_options(service: Service) -> None:
    """Its fields take precedence over the query; an invalid value is an error that names the field."""
    files = [("a.png", BOOT), ("b.png", BOOT)]
    status, response, _ = service.ask("POST", "/predict?top=2", *form(*files, options={"top": "5", "preview": "true"}))
    assert status == 200
    assert [len(record["top"]) for record in response] == [5, 5]
    assert all(record["preview"] for record in response)
    assert len(service.ask("POST", "/predict?top=2", *form(*files))[1][0]["top"]) == 2
    status, response, _ = service.ask("POST", "/predict", *form(*files, options={"top": "many"}))
    assert (status, response["error"]) == (
        400,
        "An option is invalid: top must be an integer from 1 to 100. See /docs.",
    )


def test_a_file_may_have_any_field_name(service: Service) -> None:
    """Also that of an option."""
    body, content_type = form(("a.png", BOOT))
    body = body.replace(b'name="file"', b'name="model"')
    status, response, _ = service.ask("POST", "/predict", body, content_type)
    assert (status, response[0]["label"]) == (200, "Ankle boot")


def test_each_photo_of_a_form_has_the_limit_of_a_photo(service: Service) -> None:
    """The record of one that is larger says so; the others are predicted."""
    large = BOOT + bytes(20 * MIB)
    status, response, _ = service.ask("POST", "/predict", *form(("a.png", large), ("b.png", BOOT)))
    assert (status, [record["label"] for record in response]) == (200, [None, "Ankle boot"])
    assert "larger than 20 MiB" in response[0]["error"]
    assert service.ask("POST", "/predict", *form(("a.png", large)))[0] == 413


def to_base64(photo: bytes) -> str:
    """Encode a photo as base64."""
    return base64.b64encode(photo).decode()


@pytest.mark.parametrize(
    "image",
    [
        to_base64(BOOT),
        f"data:image/png;base64,{to_base64(BOOT)}",
        base64.urlsafe_b64encode(BOOT).decode().rstrip("="),
        base64.encodebytes(BOOT).decode(),
    ],
    ids=["base64", "data URL", "URL-safe without padding", "lines"],
)
def test_a_photo_may_be_json(service: Service, image: str) -> None:
    """The record is that of the same photo as the body, with the name that the client chose."""
    _, expected, _ = service.ask("POST", "/predict?top=2", BOOT)
    body = json.dumps({"image": image, "file": "boot.png", "top": 2}).encode()
    status, response, _ = service.ask("POST", "/predict", body, "application/json; charset=utf-8")
    assert status == 200
    assert response == expected | {"file": "boot.png"}


@pytest.mark.parametrize("escaped", ["/+=", "\n"], ids=["base64", "lines"])
def test_long_json_may_escape_the_characters_of_base64(service: Service, escaped: str) -> None:
    """As the encoders of PHP, .NET and Java do."""
    photo = BOOT + bytes(range(256)) * 300  # what follows the end of a PNG is ignored
    text = base64.encodebytes(photo).decode() if escaped == "\n" else to_base64(photo + b"x")
    assert len(text) > 2**16
    image = json.dumps(text).replace("/", "\\/").replace("+", "\\u002B").replace("=", "\\u003d")
    body = f'{{"top": 1, "image" : {image}, "file": "boot.png"}}'.encode()
    status, response, _ = service.ask("POST", "/predict", body, "application/json")
    assert (status, response["label"], response["file"], len(response["top"])) == (200, "Ankle boot", "boot.png", 1)


def test_long_json_has_its_image_in_the_outer_object(service: Service) -> None:
    """A long one elsewhere is not taken for it."""
    body = json.dumps({"other": {"image": "A" * 2**17}, "image": to_base64(BOOT)}).encode()
    assert service.ask("POST", "/predict", body, "application/json")[0] == 400


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ("", 400, '{"image": "..."}'),
        ("[1]", 400, '{"image": "..."}'),
        ("{", 400, '{"image": "..."}'),
        ("[" * 100_000, 400, '{"image": "..."}'),
        ('{"top": 3}', 400, '{"image": "..."}'),
        ('{"photo": "aGVsbG8="}', 400, '{"image": "..."}'),
        ('{"image": "http://127.0.0.1/a.png"}', 400, '{"image": "..."}'),
        ('{"image": "data:image/png,abc"}', 400, '{"image": "..."}'),
        ('{"image": "衬衫"}', 400, '{"image": "..."}'),
        ('{"image": "aGVsbG8=", "top": 0}', 400, "top must be an integer from 1 to 100"),
        (json.dumps({"image": to_base64(b"<html></html>")}), 415, "JPEG, PNG or WebP"),
        (json.dumps({"image": to_base64(BOOT[:200])}), 422, "truncated"),
        (json.dumps({"image": to_base64(bytes(20 * MIB + 1))}), 413, "20 MiB"),
        (" " * (29 * MIB), 413, "27 MiB"),
    ],
    ids=range(14),
)
def test_json_without_a_photo_is_an_error(service: Service, body: str, status: int, reason: str) -> None:
    """The message shows what to send; no URL is fetched (faults 1, 11 and 16)."""
    actual, response, _ = service.ask("POST", "/predict", body.encode(), "application/json")
    assert actual == status
    assert reason in response["error"]
