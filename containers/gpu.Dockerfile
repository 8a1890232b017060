# Evaluating and training on NVIDIA GPUs: docker build -f containers/gpu.Dockerfile -t orz:gpu .
# NEVER BUILT, and no GPU has ever run this code: requirements/gpu.txt is untested beyond that its versions go together.
# Run with --gpus all and --shm-size 16g: vLLM and NCCL share memory between processes.
# The CUDA of the torch that vllm 0.32 brings (13.0): DeepSpeed compiles its kernels only with a toolkit of the same major version.
FROM nvidia/cuda:13.0.2-devel-ubuntu24.04

RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
       build-essential git make python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /orz
COPY . .
RUN python3 -m venv .venv
RUN .venv/bin/pip install --no-cache-dir -r requirements/gpu.txt
RUN .venv/bin/pip install --no-cache-dir -e ".[vllm,train,analysis,app]"
RUN mkdir -p runs models data
ENV PATH="/orz/.venv/bin:$PATH" VIRTUAL_ENV=/orz/.venv
CMD ["orz-rl", "--help"]
