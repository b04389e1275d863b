"""`modiste serve`: the web page and the HTTP API."""

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 chooses a free port.")
@click.option("--model", metavar="M", help="An .onnx file, a run folder, or a bundled model: fashion-mnist, photo.")
@click.option("--threads", type=click.IntRange(0), default=0, help="Photos predicted in parallel; 0 is one per core.")
def serve(host: str, port: int, model: str | None, threads: int) -> None:
    """Serve the web page and the HTTP API on this machine until Ctrl-C.

    Photos are not stored.

    \b
    Examples:
      modiste serve
      modiste serve --port 8080 --model runs/my-cnn
      curl --data-binary @boot.png -H 'Content-Type: image/png' http://127.0.0.1:8000/predict
    """
    from modiste import inference
    from modiste.cli.inputs import find_model
    from modiste.runs.environment import usable_cores
    from modiste.web import server
    from modiste.web.work_queue import WorkQueue

    predictor = inference.load(find_model(model), threads=1)  # parallel over photos, not within one
    queue = WorkQueue(threads or usable_cores())

    def print_url(url: str) -> None:
        click.echo(f"{url}  (Ctrl-C stops)")
        if host not in ("127.0.0.1", "localhost", "::1"):
            click.echo("modiste: anyone who can reach this machine can use the service.", err=True)

    server.serve(predictor, queue, host, port, print_url)
