# The laboratory on a CPU: docker build -f containers/cpu.Dockerfile -t orz:cpu .
# NEVER BUILT: no builder was available where this was written. It does what `make setup` does in a fresh clone.
# The CPU build of torch: --build-arg PIP_ARGS="--extra-index-url ADDRESS_OF_PYTORCH_S_CPU_INDEX"
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential chromium git libnuma1 make \
    && rm -rf /var/lib/apt/lists/*

ARG PIP_ARGS=""
WORKDIR /orz
COPY . .
RUN make setup PIP_ARGS="$PIP_ARGS" \
    && useradd --create-home orz \
    && mkdir -p runs models data \
    && chown -R orz /orz
USER orz
ENV PATH="/orz/.venv/bin:$PATH" VIRTUAL_ENV=/orz/.venv
# The app listens on loopback only; docs/security.md says how to share it.
CMD ["orz-bench", "--help"]
