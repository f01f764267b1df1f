# One image for the web process and its worker. CPU by default; for CUDA pass
#   --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu126
FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /src
RUN python -m venv /opt/lens && /opt/lens/bin/pip install --no-cache-dir --index-url "$TORCH_INDEX" "torch>=2.6,<2.14"
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY nonlocal_core nonlocal_core
COPY app app
COPY static static
COPY templates templates
RUN /opt/lens/bin/pip install --no-cache-dir .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/lens /opt/lens
RUN useradd --system --uid 10001 --home-dir /data lens && install -d -o lens -g lens /data
USER lens
VOLUME /data
EXPOSE 8000
ENV NONLOCAL_LENS_DATA=/data PYTHONUNBUFFERED=1
HEALTHCHECK --start-period=60s CMD ["/opt/lens/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
ENTRYPOINT ["/opt/lens/bin/nonlocal-lens"]
CMD ["serve", "--host", "0.0.0.0"]
