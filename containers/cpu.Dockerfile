# The laboratory on a CPU: docker build -f containers/cpu.Dockerfile -t orz:cpu .
# Built with buildah, on a minimal Debian bookworm with Python 3.11 in place of python:3.11-slim-bookworm, which could not be
# fetched; in it one step of `tiny` and an evaluation ran, with Ray and vLLM. It does what `make setup` does in a fresh clone.
# libnuma1: vLLM's CPU build needs it, and minimal images lack it.
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
