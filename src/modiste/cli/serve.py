"""`modiste serve`: the web page and the HTTP API."""

from collections.abc import Sequence
from pathlib import Path

import click

from modiste.cli.options import model_option

PEM_FILE = click.Path(path_type=Path)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 chooses a free port.")
@model_option
@click.option("--threads", type=click.IntRange(0), default=0, help="Photos predicted in parallel; 0 is one per core.")
@click.option("--root-path", default="", metavar="P", help="Prefix behind a proxy, such as /modiste.")
@click.option("--allow-origin", multiple=True, metavar="O", help="Site whose pages may use the API, or *; repeat.")
@click.option("--allow-host", multiple=True, metavar="H", help="Host name to accept, such as that of a proxy; repeat.")
@click.option("--tls-cert", type=PEM_FILE, metavar="PEM", help="Serve HTTPS with this certificate and --tls-key.")
@click.option("--tls-key", type=PEM_FILE, metavar="PEM", help="Private key of the certificate, without a passphrase.")
def serve(
    host: str,
    port: int,
    model: str | None,
    threads: int,
    root_path: str,
    allow_origin: tuple[str, ...],
    allow_host: tuple[str, ...],
    tls_cert: Path | None,
    tls_key: Path | None,
) -> None:
    """Serve the web page and the HTTP API on this machine until Ctrl-C.

    Photos are not stored.

    \b
    Examples:
      modiste serve
      modiste serve --port 8080 --model runs/my-cnn
      modiste serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
      modiste serve --root-path /modiste --allow-host shop.example
      curl --data-binary @boot.png -H 'Content-Type: image/png' http://127.0.0.1:8000/predict
    """
    from modiste import inference
    from modiste.cli.inputs import find_model
    from modiste.runs.environment import usable_cores
    from modiste.web import server
    from modiste.web.settings import ServerSettings
    from modiste.web.work_queue import WorkQueue

    settings = ServerSettings(host, port, root_path.rstrip("/"), allow_origin, allow_host, tls_cert, tls_key)
    predictor = inference.load(find_model(model), threads=1)  # parallel over photos, not within one
    queue = WorkQueue(threads or usable_cores())

    def print_urls(urls: Sequence[str]) -> None:
        click.echo(f"{urls[0]}  (Ctrl-C stops)")
        for url in urls[1:]:
            click.echo(f"{url}  (for other devices in the local network)")
        if host not in ("127.0.0.1", "localhost", "::1"):
            click.echo("modiste: anyone who can reach this machine can use the service.", err=True)
            if not tls_cert:
                click.echo("modiste: browsers of other devices open the camera over HTTPS only (--tls-cert).", err=True)

    server.serve(predictor, queue, settings, print_urls)
