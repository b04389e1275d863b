"""A check of compressed data before it is unpacked."""

from modiste.errors import InputError

PLAUSIBLE_BYTES = 64 * 2**20
MAX_PACKING = 50
"""Data that unpack to more than `PLAUSIBLE_BYTES` and to more than so many times their size are refused: the gzipped
file of Fashion-MNIST unpacks to twice its size, one of zeros to a thousand times."""


def require_plausible(place: object, unpacked: int, packed: int) -> None:
    """Raise an InputError, which names the place, if so many bytes are too many for their packed size."""
    if unpacked > max(PLAUSIBLE_BYTES, MAX_PACKING * packed):
        raise InputError(f"{place} unpacks to {unpacked} bytes, too many for its {packed}. Download or copy it again.")
