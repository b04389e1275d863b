"""Photo files that are cut and closed, of unusual kinds, or very large (faults 10, 32, 41, 44)."""

import re
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.memory import MEGABYTE, peak_growth
from helpers.photos import chunk, clothes, heic_grid, png, saved
from modiste.errors import InputError
from modiste.imaging import decode, heic, preprocess, reduction
from modiste.imaging.memory import PIXELS, MemoryBudget


def busy(height: int = 256, width: int = 192, seed: int = 0) -> Image.Image:
    """A photo with detail everywhere."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


JPEGS = {
    "baseline": {"quality": 90},
    "gray": {"quality": 90},
    "444": {"subsampling": 0},
    "optimized": {"optimize": True},
    "restarts": {"restart_marker_rows": 1},
    "CMYK": {},
}


def jpeg(kind: str, photo: Image.Image) -> bytes:
    """The photo as a JPEG of a kind."""
    mode = {"gray": "L", "CMYK": "CMYK"}.get(kind, "RGB")
    return saved(photo.convert(mode), "JPEG", **JPEGS[kind])


@pytest.mark.parametrize("kind", JPEGS)
def test_fault_41_a_jpeg_that_was_cut_and_closed_is_truncated(kind: str) -> None:
    """Whatever is missing, down to a twentieth of the file, with or without the marker at its end."""
    complete = jpeg(kind, busy())
    for twentieth in range(3, 20):
        cut = complete[: len(complete) * twentieth // 20]
        for content in (cut, cut + b"\xff\xd9"):
            with pytest.raises(InputError, match="truncated"):
                decode.decode_bytes(content)


@pytest.mark.parametrize("kind", JPEGS)
def test_fault_41_a_jpeg_without_its_end_whose_pixels_are_whole_is_accepted(kind: str) -> None:
    """The last two bytes hold no pixels; a gray photo, which looks like missing data, is accepted as well."""
    for photo in (busy(), Image.new("RGB", (192, 256), (128, 128, 128))):
        complete = jpeg(kind, photo)
        expected = decode.decode_bytes(complete)
        assert (decode.decode_bytes(complete[:-2]) == expected).all()


def test_fault_41_a_progressive_jpeg_that_lacks_scans_is_truncated() -> None:
    """It would be shown blurred; without the marker at its end, a cut in the last scan is found, too."""
    complete = saved(busy(), "JPEG", progressive=True)
    assert decode.decode_bytes(complete[:-2]).shape == (256, 192, 3)
    scans = [at for at in range(len(complete)) if complete[at : at + 2] == b"\xff\xda"]
    for at in scans[1:]:
        with pytest.raises(InputError, match="truncated"):
            decode.decode_bytes(complete[: at - 40] + b"\xff\xd9")
    with pytest.raises(InputError, match="truncated"):
        decode.decode_bytes(complete[:-200])


def test_fault_41_a_progressive_jpeg_of_very_many_scans_is_refused() -> None:
    """Each takes time for all pixels."""
    complete = saved(busy(), "JPEG", progressive=True)
    last = complete.rindex(b"\xff\xda")
    with pytest.raises(InputError, match="damaged"):
        decode.decode_bytes(complete[:-2] + complete[last:-2] * 100 + b"\xff\xd9")


def many_scans(side: int, count: int) -> bytes:
    """A gray progressive JPEG of so many scans, most of them empty."""
    complete = saved(Image.new("L", (side, side)), "JPEG", progressive=True)
    last = complete.rindex(b"\xff\xda")
    return complete[:-2] + complete[last:-2] * (count - complete.count(b"\xff\xda")) + b"\xff\xd9"


SLOW = {
    "scans": lambda: many_scans(6000, count=50),
    "16 bits": lambda: png(7000, 7000, (b"\4" + bytes(7000 * 8)) * 7000, depth=16, color=6),
    "interlaced": lambda: png(8000, 8000, b"", color=6, interlace=1),
}


@pytest.mark.parametrize("kind", SLOW)
def test_fault_32_a_photo_that_takes_long_is_refused(kind: str) -> None:
    """By its header, with what to do."""
    content = SLOW[kind]()
    begin = time.thread_time()
    with pytest.raises(InputError, match=r"takes too long.*Make it smaller, or save it as baseline JPEG"):
        decode.decode_bytes(content)
    assert time.thread_time() - begin < 0.2


def test_fault_32_large_photos_of_usual_encoders_are_decoded() -> None:
    """Progressive ones of 36 megapixels, and PNGs of 16 bits of 12."""
    assert decode.decode_bytes(many_scans(6000, count=6)).shape == (1500, 1500, 3)
    assert decode.decode_bytes(png(4000, 3000, bytes(24_001 * 3000), depth=16, color=2)).shape == (1500, 2000, 3)


@pytest.mark.parametrize("lossless", [False, True])
def test_fault_41_a_webp_whose_tail_is_zeros_is_truncated(lossless: bool) -> None:
    """As downloads leave files whose space they reserved."""
    complete = saved(busy(), "WEBP", quality=80, lossless=lossless)
    for length in range(1, 8):
        kept = len(complete) * length // 8
        with pytest.raises(InputError, match="truncated"):
            decode.decode_bytes(complete[:kept] + bytes(len(complete) - kept))


@pytest.mark.parametrize("options", [{"quality": 100}, {"quality": 5}, {"lossless": True}], ids=str)
@pytest.mark.parametrize("color", ["white", "black", (128, 128, 128)], ids=str)
def test_fault_41_a_webp_with_a_plain_area_is_whole(color: str, options: dict[str, int]) -> None:
    """Its file ends with many zeros, too."""
    photo = Image.new("RGB", (400, 700), color)
    photo.paste(busy(100, 400))
    for content in (saved(photo, "WEBP", **options), saved(Image.new("RGB", (700, 700), color), "WEBP", **options)):
        assert len(decode.decode_bytes(content)) == 700


@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize(("depth", "color", "row"), [(8, 2, 192), (8, 0, 64), (1, 0, 8), (8, 6, 256), (16, 0, 128)])
def test_fault_41_a_png_without_all_rows_is_truncated(depth: int, color: int, row: int, interlace: int) -> None:
    """Its stream ends early, but is closed; a whole one whose last rows are black is accepted."""
    bits = {0: 1, 2: 3, 6: 4}[color] * depth
    if interlace:
        passes = [(8, 8), (8, 8), (16, 8), (16, 16), (32, 16), (32, 32), (64, 32)]
        size = sum(height * (1 + (width * bits + 7) // 8) for width, height in passes)
    else:
        size = 64 * (1 + row)
    options = {"depth": depth, "color": color, "interlace": interlace}
    assert decode.decode_bytes(png(64, 64, bytes(size), **options)).shape == (64, 64, 3)
    for missing in (1, size // 2, size - 10):
        with pytest.raises(InputError, match="truncated"):
            decode.decode_bytes(png(64, 64, bytes(size - missing), **options))


def test_fault_44_the_transparent_color_of_a_16_bit_png_has_16_bits() -> None:
    """A color that differs in its low byte alone stays."""
    colors = [(0x1400, 0x1400, 0x1400), (0x1401, 0x1400, 0x1400), (0x1400, 0x1400, 0x14FF), (0x1500, 0x1400, 0x1400)]
    row = b"\0" + b"".join(struct.pack(">3H", *color) for color in colors) * 2
    transparent = chunk(b"tRNS", struct.pack(">3H", *colors[0]))
    photo = decode.decode_bytes(png(8, 8, row * 8, depth=16, more=transparent))
    assert photo[0, :4].tolist() == [[255] * 3, [20] * 3, [20] * 3, [21, 20, 20]]


@pytest.mark.parametrize("order", ["<", ">"])
def test_fault_44_an_orientation_may_be_a_long(order: str) -> None:
    """Some programs write it as one; its two bytes of a SHORT are the first or the last."""
    tiff = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IHHHIII", 8, 1, 0x0112, 4, 1, 6, 0)
    turned = decode.decode_bytes(saved(clothes(), exif=b"Exif\0\0" + tiff))
    assert turned.shape == (40, 60, 3)
    assert (np.rot90(turned) == np.asarray(clothes())).all()


def test_fault_44_a_photo_of_108_megapixels_is_decoded_at_a_reduced_size() -> None:
    """With a bounded memory, and with the colors of the photo."""
    stripe = Image.new("RGB", (12000, 9000), (200, 30, 30))
    stripe.paste((30, 30, 200), (6000, 0, 12000, 9000))
    content = saved(stripe, "JPEG")
    del stripe
    photos: list[np.ndarray] = []
    assert peak_growth(lambda: photos.append(decode.decode_bytes(content))) < 60 * MEGABYTE
    (photo,) = photos
    assert reduction.MIN_REDUCED_SIDE <= min(photo.shape[:2]) < 2 * reduction.MIN_REDUCED_SIDE
    assert abs(photo[0, 0].astype(int) - (200, 30, 30)).max() < 4
    assert abs(photo[-1, -1].astype(int) - (30, 30, 200)).max() < 4


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "I;16"])
def test_fault_44_a_large_photo_is_the_mean_of_its_pixels(mode: str) -> None:
    """In every mode, and in the same way as a small one."""
    small = busy(1100, 1030)
    if mode == "I;16":
        large = Image.fromarray(np.repeat(np.repeat(np.asarray(small)[:, :, 0].astype(np.uint16) * 257, 2, 0), 2, 1))
    else:
        large = small.convert(mode).resize((2060, 2200), Image.Resampling.NEAREST)
    expected = decode.to_rgb(small.convert("L" if mode == "I;16" else mode))
    if mode == "I;16":
        expected = small.getchannel(0).convert("RGB")
    reduced = decode.decode_bytes(saved(large, compress_level=1))
    assert reduced.shape == (1100, 1030, 3)
    assert abs(reduced.astype(int) - np.asarray(expected)).max() <= 1


def test_fault_32_a_photo_waits_until_others_leave_memory_for_it() -> None:
    """In the order of arrival; one of the whole budget is decoded alone."""
    budget = MemoryBudget(100)
    running, highest = [0], [0]

    def use(size: int) -> None:
        with budget.reserve(size):
            running[0] += min(size, 100)
            highest[0] = max(highest[0], running[0])
            running[0] -= min(size, 100)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(use, [30, 60, 1000, 10] * 50))
    assert running == [0]
    assert highest[0] <= 100


@pytest.mark.slow
def test_fault_32_large_photos_on_many_threads_take_bounded_memory() -> None:
    """Eight of 5000 x 5000 pixels with alpha, 100 MB each when decoded."""
    content = saved(Image.new("RGBA", (5000, 5000), (10, 20, 30, 200)), compress_level=1)
    assert len(content) < 1_000_000

    def decode_all() -> None:
        with ThreadPoolExecutor(8) as pool:
            images = list(pool.map(lambda _: preprocess.to_image(content, 224, 3), range(8)))
        assert len({image.tobytes() for image in images}) == 1

    assert peak_growth(decode_all) < PIXELS.total


def test_fault_32_what_would_take_too_much_is_refused() -> None:
    """A progressive JPEG, of which all coefficients are held, is refused by its header."""
    content = bytearray(saved(busy(), "JPEG", progressive=True, subsampling=0))
    at = content.index(b"\xff\xc2") + 5
    content[at : at + 4] = struct.pack(">HH", 12000, 12000)

    def refuse() -> None:
        with pytest.raises(InputError, match="Make it smaller, or save it as baseline JPEG"):
            decode.decode_bytes(bytes(content))

    assert peak_growth(refuse) < 5 * MEGABYTE


HEIC = (Path(__file__).parents[1] / "assets" / "photo-1.heic").read_bytes()


def test_fault_32_small_heic_files_of_many_pixels_take_bounded_memory() -> None:
    """Those of 38 megapixels in 43 KB are decoded one after the other; a photo of a phone beside another one."""
    large = heic_grid(HEIC, rows=31, columns=32)
    assert len(large) < 50_000
    code = (
        "import resource, sys; from modiste.imaging import decode, heic\n"
        "photo = sys.stdin.buffer.read(); print(heic.decoding_bytes(photo), decode.decode_bytes(photo).shape)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=large, capture_output=True, check=True)
    reserved, height, width, channels, peak_bytes = map(int, re.findall(rb"\d+", done.stdout))
    assert (height, width, channels) == (1488, 1024, 3)
    assert PIXELS.total // 2 < reserved
    assert peak_bytes < reserved < 450 * MEGABYTE
    phone = heic.decoding_bytes(heic_grid(HEIC, rows=12, columns=26))  # 12 megapixels
    assert 2 * phone < PIXELS.total


def test_fault_32_a_heic_file_that_declares_too_few_pixels_is_damaged() -> None:
    """Its process gets the memory for those that it declares."""
    large = heic_grid(HEIC, rows=31, columns=32)
    declared = heic.decoding_bytes(HEIC)
    assert declared < 60 * MEGABYTE
    with pytest.raises(struct.error):
        heic.decode(large, declared)


def test_fault_32_a_heic_file_of_too_many_pixels_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No process is started for it; a file that declares no size is damaged."""
    monkeypatch.setattr(heic, "_run", None)
    with pytest.raises(InputError, match="more than 50 million"):
        decode.decode_bytes(heic_grid(HEIC, rows=50, columns=32))
    with pytest.raises(InputError, match="truncated or damaged"):
        decode.decode_bytes(HEIC.replace(b"ispe", b"none"))


def test_fault_10_the_process_that_decodes_heic_cannot_write_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What exceeds the bytes of a photo is not read, and the process is ended."""
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexec cat /dev/zero\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))

    def refuse() -> None:
        with pytest.raises(InputError, match="truncated or damaged"):
            decode.decode_bytes(HEIC)

    assert peak_growth(refuse) < 3 * heic.MAX_OUTPUT
