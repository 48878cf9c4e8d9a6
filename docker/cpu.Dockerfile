# The server without a GPU: to develop against it, or for the models that a CPU can speak with.
#   docker build -f docker/cpu.Dockerfile -t chroma-realtime:cpu .
FROM python:3.12-slim

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY engine engine
COPY realtime realtime
# The CPU build of torch first: the one on PyPI brings gigabytes of CUDA.
RUN python3 -m pip install -c constraints.txt --index-url https://download.pytorch.org/whl/cpu torch \
    && python3 -m pip install -c constraints.txt '.[webrtc]' \
    && python3 -m pip install -c constraints.txt --no-deps pipecat-ai==1.14.0

ENV HF_HOME=/models/huggingface CHROMA_REALTIME_VOICES=/voices
RUN useradd --create-home --uid 10001 chroma \
    && mkdir -p /models /voices \
    && chown chroma /models /voices
COPY --chmod=755 docker/serve.sh /usr/local/bin/serve.sh
USER 10001
VOLUME ["/models", "/voices"]

EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=5m --retries=3 \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
ENTRYPOINT ["/usr/local/bin/serve.sh"]
