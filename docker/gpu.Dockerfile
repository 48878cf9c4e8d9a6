# The server on the SGLang that it was tested with, for machines with an NVIDIA GPU:
#   docker build -f docker/gpu.Dockerfile -t chroma-realtime .
FROM lmsysorg/sglang:v0.5.20

# The base keeps Python's packages in the system's own place; what SGLang pins there stays as it is.
ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY engine engine
COPY realtime realtime
# This folder has no version to pin.
# hadolint ignore=DL3013
RUN python3 -m pip install '.[webrtc]' \
    && python3 -m pip install --no-deps pipecat-ai==1.14.0

# Models that are downloaded and voices that are added outlive the container where these are volumes.
ENV HF_HOME=/models/huggingface CHROMA_REALTIME_VOICES=/voices
RUN useradd --create-home --uid 10001 chroma \
    && mkdir -p /models /voices \
    && chown chroma /models /voices
COPY --chmod=755 docker/serve.sh /usr/local/bin/serve.sh
USER 10001
VOLUME ["/models", "/voices"]

EXPOSE 8000
# A first start may download gigabytes and records its CUDA graphs: a quarter of an hour before it counts.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15m --retries=3 \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
ENTRYPOINT ["/usr/local/bin/serve.sh"]
