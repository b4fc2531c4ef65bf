# One image: the service, its runners and its dashboard.
FROM python:3.11-slim

WORKDIR /gradless
COPY pyproject.toml constraints.txt ./
RUN pip install --no-cache-dir uv==0.13.8 \
    && uv pip install --system --no-cache --compile-bytecode \
        --constraint constraints.txt --requirement pyproject.toml --extra local --extra otel
COPY . .
RUN useradd --uid 1000 --create-home gradless && mkdir /data && chown 1000 /data
USER 1000

ENV GRADLESS_HOST=0.0.0.0 GRADLESS_PORT=8000 GRADLESS_DATA=/data HF_HUB_OFFLINE=1
VOLUME /data
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz')"]
CMD ["python", "-m", "app"]
