# The workbench in a container, for the CPU; for CUDA: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130
# It needs no network at run time. Its root may be read-only: it writes to /data and /tmp only.
ARG PYTHON=3.11
FROM python:${PYTHON}-slim AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /source
RUN python -m venv /opt/workbench
COPY requirements.txt requirements.lock ./
COPY scripts/lock.py scripts/lock.py
# torch is the build of its index; every other package must have a sha256 of the lock
RUN case "${TORCH_INDEX}" in */cpu) part=--cpu ;; *) part= ;; esac \
 && python scripts/lock.py --only requirements.txt ${part} > app.lock \
 && python scripts/lock.py --only requirements.txt --versions > versions.txt \
 && /opt/workbench/bin/pip install --no-cache-dir --no-deps --index-url "${TORCH_INDEX}" "$(grep ^torch== versions.txt)" \
 && /opt/workbench/bin/pip install --no-cache-dir --require-hashes -r app.lock
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE SECURITY.md ./
COPY cache cache
COPY workbench workbench
RUN /opt/workbench/bin/pip install --no-cache-dir --no-deps .

FROM python:${PYTHON}-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# on a GPU Triton compiles the model, and calls a C compiler for it
# hadolint ignore=DL3008
RUN case "${TORCH_INDEX}" in */cpu) ;; *) apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/* ;; esac
COPY --from=build /opt/workbench /opt/workbench
RUN useradd --uid 10001 --no-create-home --home-dir /data workbench && install -d -o workbench -g workbench /data
ENV PATH=/opt/workbench/bin:$PATH HOME=/data WORKBENCH_HOME=/data PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/tmp/numba MPLCONFIGDIR=/tmp/matplotlib \
    TORCHINDUCTOR_CACHE_DIR=/data/.inductor TRITON_CACHE_DIR=/data/.triton
USER 10001
WORKDIR /data
VOLUME ["/data", "/tmp"]
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
ENTRYPOINT ["workbench"]
CMD ["app", "--host", "0.0.0.0", "--port", "8501", "--allow-host", "localhost"]
