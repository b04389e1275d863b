"""`modiste serve`: the web page and the API."""

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--model", metavar="M", help="An .onnx file, a run folder, or a bundled model: fashion-mnist, photo.")
@click.option("--threads", type=click.IntRange(0), default=0, help="Pictures at a time; 0 is one a core.")
def serve(host: str, port: int, model: str | None, threads: int) -> None:
    """Serve the web page and the HTTP API on this machine until Ctrl-C.

    Pictures are looked at and forgotten: nothing is stored.

    \b
    Examples:
      modiste serve
      modiste serve --port 8080 --model runs/my-cnn
      curl --data-binary @boot.png -H 'Content-Type: image/png' http://127.0.0.1:8000/predict
    """
    from modiste import inference
    from modiste.cli.model_option import find_model
    from modiste.runs.environment import usable_cores
    from modiste.web import server
    from modiste.web.work_queue import WorkQueue

    loaded = inference.load(find_model(model), threads=1)  # each photo is predicted on a thread of its own
    queue = WorkQueue(threads or usable_cores())

    def ready(url: str) -> None:
        click.echo(f"{url}  (Ctrl-C stops)")
        if host not in ("127.0.0.1", "localhost", "::1"):
            click.echo("modiste: whoever can reach this machine can use it now.", err=True)

    server.serve(loaded, queue, host, port, ready)
