# The web page and HTTP API with the bundled models, without PyTorch:
#   docker build --tag modiste .
#   docker run --rm --read-only --publish 127.0.0.1:8000:8000 modiste
FROM python:3.11-slim-bookworm AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ENV VENV=/opt/modiste PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

COPY requirements-web.lock ./
RUN python -m venv --without-pip "$VENV" && \
    python -m pip --python "$VENV/bin/python" install --quiet --no-deps --require-hashes -r requirements-web.lock

COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
COPY results results
RUN python -m pip --python "$VENV/bin/python" install --quiet --no-deps .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/modiste /opt/modiste
ENV PATH=/opt/modiste/bin:$PATH HOME=/tmp
# a number, so that Kubernetes can tell that it is not root
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
# options of `docker run` after the name of the image are options of `modiste serve`
ENTRYPOINT ["modiste", "serve", "--host", "0.0.0.0"]
