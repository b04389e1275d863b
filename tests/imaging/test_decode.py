"""Photos of every kind, complete and broken."""

import struct
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.memory import MEGABYTE, peak_growth
from helpers.photos import chunk, clothes, exif, png, saved
from modiste.errors import InputError, UnsupportedPhoto
from modiste.imaging import decode, file_format
from modiste.imaging.preprocess import to_photo

NOT_PHOTOS = {
    "nothing": b"",
    "a byte": b"\xff",
    "text": b"dear diary, today",
    "html": b"<!doctype html><p>hello</p>",
    "pdf": b"%PDF-1.7\n%\xe2\xe3",
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "tiff": b"II*\0" + b"\0" * 60,
    "psd": b"8BPS\0\1" + b"\0" * 60,
    "fits": b"SIMPLE  =                    T",
    "ico": b"\0\0\1\0\1\0" + b"\0" * 60,
    "zip": b"PK\3\4" + b"\0" * 60,
    "avif": b"\0\0\0\x18ftypavif" + b"\0" * 60,
}

KINDS = {
    "jpeg": lambda: saved(clothes(), "JPEG", quality=95),
    "progressive": lambda: saved(clothes(), "JPEG", progressive=True),
    "png": lambda: saved(clothes()),
    "webp": lambda: saved(clothes(), "WEBP", quality=90),
    "lossless webp": lambda: saved(clothes(), "WEBP", lossless=True),
    "webp with exif": lambda: saved(clothes(), "WEBP", exif=exif(1)),
}


@pytest.mark.parametrize("name", NOT_PHOTOS)
def test_fault_01_a_file_that_is_not_a_photo_is_refused_by_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file named .jpg that is none is an error, and no decoder sees it (fault 01)."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(NOT_PHOTOS[name])
    monkeypatch.setattr(decode, "DECODERS", {})
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("a decoder was called"))
    with pytest.raises(InputError, match=r"photo.jpg is .*JPEG, PNG or WebP"):
        to_photo(path)


def test_avif_is_called_by_its_name() -> None:
    """So that the user knows what to convert (fault 10)."""
    with pytest.raises(UnsupportedPhoto, match="AVIF"):
        decode.decode_bytes(NOT_PHOTOS["avif"])


def test_only_three_decoders_can_be_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is opened by the one decoder that its first bytes announce (fault 01)."""
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("Pillow chooses the decoder"))
    assert sorted(decode.DECODERS) == ["JPEG", "PNG", "WEBP"]
    for name, kind in KINDS.items():
        expected = next(each for each in decode.DECODERS if each in name.upper() or name == "progressive")
        with monkeypatch.context() as patch:
            patch.setattr(decode, "DECODERS", {expected: decode.DECODERS[expected]})
            decode.decode_bytes(kind())


@pytest.mark.parametrize("kind", KINDS)
def test_fault_02_a_truncated_file_is_an_error(kind: str) -> None:
    """A photo cut at any sixteenth of its length, or by its last bytes, gives no photo (fault 02)."""
    complete = KINDS[kind]()
    assert decode.decode_bytes(complete).shape == (60, 40, 3)
    cut = 1 if "png" in kind or "webp" in kind else 60  # the last bytes of a JPEG hold no pixels
    for length in [len(complete) * part // 16 for part in range(16)] + [len(complete) - cut]:
        with pytest.raises(InputError, match=r"truncated|empty"):
            decode.decode_bytes(complete[:length])


def test_a_cut_animation_is_an_error() -> None:
    """An APNG or animated WebP without its later frames is truncated, though the first frame is complete (fault 02)."""
    frames = [clothes(), clothes().rotate(180)]
    for kind in ("PNG", "WEBP"):
        complete = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        with pytest.raises(InputError, match="truncated"):
            decode.decode_bytes(complete[:-40])


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds nothing."""
    return png(width, height, b"")


def webp_header(width: int, height: int) -> bytes:
    """A WebP that declares a size and holds nothing."""
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_header(width: int, height: int) -> bytes:
    """A real JPEG whose frame header declares another size."""
    complete = bytearray(saved(clothes(), "JPEG"))
    at = complete.index(b"\xff\xc0") + 5
    complete[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(complete)


@pytest.mark.parametrize("size", [(30000, 30000), (15000, 15000), (8200, 8000)])
@pytest.mark.parametrize("header", [png_header, webp_header, jpeg_header])
def test_fault_03_a_bomb_is_refused_by_its_header(header: object, size: tuple[int, int]) -> None:
    """A file that declares too many pixels is refused without memory for them (fault 03)."""
    if header is jpeg_header and size == (8200, 8000):
        size = (65500, 3300)
    content = header(*size)  # type: ignore[operator]

    def refuse() -> None:
        with pytest.raises(InputError, match=r"million\. Make it smaller"):
            decode.decode_bytes(content)

    assert peak_growth(refuse) < 5 * MEGABYTE


def test_a_file_that_unpacks_beyond_its_size_is_cut_off() -> None:
    """A PNG of 40 x 40 whose stream holds 200 MB neither fails nor takes memory for them (fault 03)."""
    content = png(40, 40, bytes(200_000_000))
    photos: list[np.ndarray] = []
    assert peak_growth(lambda: photos.append(decode.decode_bytes(content))) < 5 * MEGABYTE
    assert photos[0].shape == (40, 40, 3)


def test_too_many_bytes_are_refused(tmp_path: Path) -> None:
    """A file above the byte limit is refused before it is parsed."""
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(decode.MAX_BYTES + 1)
    with pytest.raises(InputError, match="larger than 50 MiB"):
        to_photo(path)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_fault_04_an_animation_of_10000_frames_gives_its_first(kind: str) -> None:
    """Only the first frame is decoded, in less than a second (fault 04)."""
    first, other = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (16, 16), "blue")
    half = Image.new("RGB", (16, 16), "green")
    frames = [other, half] * 5000
    content = saved(first, kind, save_all=True, append_images=frames[:-1], duration=10)
    start = time.perf_counter()
    photo = decode.decode_bytes(content)
    assert time.perf_counter() - start < 1
    assert abs(photo.astype(int) - [255, 0, 0]).max() <= 8


def test_the_primary_image_of_an_mpo_counts() -> None:
    """A file of two JPEGs, as phones write them, gives the first, complete or with a damaged index (fault 04)."""
    content = saved(clothes(), "MPO", save_all=True, append_images=[Image.new("RGB", (40, 60), "blue")], quality=95)
    index = content.index(b"MPF\0")
    damaged = content[: index + 8] + b"\xff" * 40 + content[index + 48 :]
    expected = decode.decode_bytes(content)
    assert abs(expected.astype(int) - np.asarray(clothes())).mean() < 8
    assert (decode.decode_bytes(damaged) == expected).all()


STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_fault_05_the_eight_orientations_give_one_photo(kind: str) -> None:
    """A photo stored in any of EXIF's eight ways comes out the same (fault 05)."""
    upright = Image.fromarray(np.asarray(clothes(64, 48)))
    options = {"PNG": {}, "JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}[kind]
    for orientation, stored_as in STORED_AS.items():
        stored = upright.transpose(stored_as)
        photo = decode.decode_bytes(saved(stored, kind, exif=exif(orientation), **options))
        assert photo.shape == (64, 48, 3)
        assert abs(photo.astype(int) - np.asarray(upright)).max() <= (6 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    """Orientations but 1 to 8 leave the photo as it is stored (fault 05)."""
    plain = decode.decode_bytes(saved(clothes()))
    assert (decode.decode_bytes(saved(clothes(), exif=exif(orientation))) == plain).all()


def with_segment(jpeg: bytes, marker: int, content: bytes, times: int = 1) -> bytes:
    """A JPEG with a block of metadata put in front."""
    block = bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content
    return jpeg[:2] + block * times + jpeg[2:]


def test_damaged_metadata_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    """Damaged EXIF, ICC and XMP, and 10 MB of it, change nothing and are in no message (fault 06)."""
    plain = saved(clothes(), "JPEG")
    secret = b"12 Secret Street" * 20
    ifd = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + secret
    files = [
        with_segment(plain, 0xE1, ifd),
        with_segment(plain, 0xE1, b"Exif\0\0garbage" + secret),
        with_segment(plain, 0xE2, b"ICC_PROFILE\0\x07\x01" + secret),
        with_segment(plain, 0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta" + secret),
        with_segment(plain, 0xFE, secret * 200, times=160),
    ]
    expected = decode.decode_bytes(plain)
    for file in files:
        assert (decode.decode_bytes(file) == expected).all()
        with pytest.raises(InputError) as error:
            decode.decode_bytes(file[:-200])
        assert "Secret" not in str(error.value)
    assert "Secret" not in "".join(capfd.readouterr())


def test_fill_bytes_and_markers_without_a_length_are_skipped() -> None:
    """Between the segments of a JPEG, as its standard allows."""
    plain = saved(clothes(), "JPEG")
    filled = plain[:2] + b"\xff" * 5 + plain[2:4] + plain[4:20] + b"\xff\x01\xff\xd0\xff" + plain[20:]
    assert (decode.decode_bytes(filled) == decode.decode_bytes(plain)).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_fault_06_metadata_does_not_reach_the_decoder(kind: str) -> None:
    """The parsed file has none (fault 06)."""
    file = saved(clothes(), kind, exif=exif(6))
    parsed = file_format.parse(file)
    assert b"Secret" in file
    assert b"Secret" not in parsed.data
    assert (parsed.format, parsed.size, parsed.orientation) == (kind, (40, 60), 6)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 5000), (5000, 1)])
def test_fault_07_a_photo_of_a_pixel_is_too_small(size: tuple[int, int]) -> None:
    """Photos of less than 8 pixels a side are refused with their size (fault 07)."""
    with pytest.raises(InputError, match=f"{size[0]} x {size[1]} pixels"):
        decode.decode_bytes(saved(Image.new("RGB", size)))


def test_fault_08_every_mode_is_composed_on_white() -> None:
    """Gray, alpha, palette, 1-bit and CMYK photos come out as a person sees them on white (fault 08)."""
    size = (8, 8)
    see_through = Image.new("P", size, 1)
    see_through.putpalette([0, 0, 0, 255, 0, 0])
    cases = [
        (saved(Image.new("L", size, 77)), (77, 77, 77)),
        (saved(Image.new("LA", size, (0, 128))), (127, 127, 127)),
        (saved(Image.new("1", size, 1)), (255, 255, 255)),
        (saved(Image.new("1", size, 0)), (0, 0, 0)),
        (saved(see_through), (255, 0, 0)),
        (saved(see_through, transparency=1), (255, 255, 255)),
        (saved(see_through, transparency=b"\xff\x00"), (255, 255, 255)),
        (saved(Image.new("L", size, 9), transparency=9), (255, 255, 255)),
        (saved(Image.new("RGB", size, (1, 2, 3)), transparency=(1, 2, 3)), (255, 255, 255)),
        (saved(Image.new("RGBA", size, (10, 20, 30, 0))), (255, 255, 255)),
        (saved(Image.new("RGBA", size, (10, 20, 30, 255))), (10, 20, 30)),
        (saved(Image.new("RGBA", size, (10, 20, 30, 0)), "WEBP", lossless=True), (255, 255, 255)),
        (saved(Image.new("CMYK", size, (0, 255, 255, 0)), "JPEG", quality=100), (255, 0, 0)),
    ]
    for content, color in cases:
        assert abs(decode.decode_bytes(content).astype(int) - color).max() <= 2


@pytest.mark.parametrize("mode", ["LA", "La", "RGBA", "RGBa"])
def test_a_pillow_image_of_any_mode_with_alpha_is_composed_on_white(mode: str) -> None:
    """Premultiplied alpha included."""
    half = Image.new("LA", (8, 8), (0, 128))
    image = half.convert("RGBA").convert(mode) if mode == "RGBa" else half.convert(mode)
    assert abs(decode.decode_pillow(image).astype(int) - 127).max() <= 1


def test_sixteen_bits_are_scaled() -> None:
    """16-bit gray and RGB keep their gradation; half of the range is half, not white (fault 08)."""
    for value, expected in ((0, 0), (32768, 128), (65535, 255), (256, 1)):
        gray = Image.fromarray(np.full((8, 8), value, np.uint16))
        assert (decode.decode_bytes(saved(gray)) == expected).all()
    row = b"\0" + struct.pack(">HHH", 0, 32768, 65535) * 8
    content = png(8, 8, row * 8, depth=16)
    assert (decode.decode_bytes(content) == [0, 128, 255]).all()


@pytest.mark.parametrize(
    ("bit_depth", "color_type", "row", "transparent", "expected"),
    [
        (2, 0, bytes([0b00011011] * 2), struct.pack(">H", 1), [0, 255, 170, 255] * 2),
        (4, 0, bytes([0x01, 0x8F] * 2), struct.pack(">H", 8), [0, 17, 255, 255] * 2),
        (8, 0, bytes([0, 9, 10, 255] * 2), struct.pack(">H", 9), [0, 255, 10, 255] * 2),
        (16, 0, struct.pack(">HH", 2570, 2571) * 4, struct.pack(">H", 2571), [10, 255] * 4),
        (16, 2, struct.pack(">6H", *[2560] * 3, *[5120] * 3) * 4, struct.pack(">3H", *[5120] * 3), [10, 255] * 4),
    ],
)
def test_the_transparent_level_of_a_png_has_its_bit_depth(
    bit_depth: int, color_type: int, row: bytes, transparent: bytes, expected: list[int]
) -> None:
    """It becomes white, and no other level does."""
    content = png(8, 8, (b"\0" + row) * 8, bit_depth, color_type, more=chunk(b"tRNS", transparent))
    assert decode.decode_bytes(content)[0, :, 0].tolist() == expected


def test_paths_that_lead_to_no_file(tmp_path: Path) -> None:
    """A missing file, a folder and an impossible name are errors that show the path."""
    for path in (tmp_path / "missing.png", tmp_path, Path("a\0b.png")):
        with pytest.raises(InputError, match=r"does not exist|is not a file|cannot be read"):
            to_photo(path)
