"""Self-signed certificates for tests of TLS."""

import subprocess
from pathlib import Path


def self_signed(folder: Path, *names: str) -> tuple[Path, Path]:
    """Write a certificate for names (`DNS:shop.example`, `IP:127.0.0.1`) and its key; return both paths."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=test", "-addext", f"subjectAltName={','.join(names)}"]
    command = ["openssl", "req", *kind, *subject, "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, capture_output=True, check=True)
    return cert, key
