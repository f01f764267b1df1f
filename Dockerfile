# One image for web processes and workers; docs/deployment.md says what runs how. CPU by default; for CUDA pass
#   --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu126
FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /src
# Headers, and torch's own tests and their programs, are not needed to run it: 200 MB.
RUN python -m venv /opt/lens \
    && /opt/lens/bin/pip install --no-cache-dir --index-url "$TORCH_INDEX" "torch>=2.6,<2.14" \
    && torch=/opt/lens/lib/python3.11/site-packages/torch \
    && rm -rf "${torch:?}/include" "${torch:?}/test" "${torch:?}/share" \
    && find "$torch/bin" -type f ! -name torch_shm_manager -delete \
    && /opt/lens/bin/python -W ignore -c "import torch"
COPY pyproject.toml ./
# What we depend on changes less often than what we write.
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        > requirements.txt \
    && /opt/lens/bin/pip install --no-cache-dir --requirement requirements.txt
COPY README.md LICENSE NOTICE ./
COPY nonlocal_core nonlocal_core
COPY app app
COPY static static
COPY templates templates
RUN /opt/lens/bin/pip install --no-cache-dir --no-deps . \
    && /opt/lens/bin/pip uninstall --yes --quiet pip setuptools

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data lens && install -d -o lens -g lens /data
COPY --from=build /opt/lens /opt/lens
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Models that `models fetch` brings lie beside the library, for the root may be read-only.
ENV PATH=/opt/lens/bin:$PATH NONLOCAL_LENS_DATA=/data XDG_DATA_HOME=/data PYTHONUNBUFFERED=1
HEALTHCHECK --start-period=60s --interval=15s --timeout=5s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
ENTRYPOINT ["nonlocal-lens"]
CMD ["serve", "--host", "0.0.0.0"]
