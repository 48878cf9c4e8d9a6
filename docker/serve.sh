#!/bin/sh
# What the containers start: `chroma-realtime serve`, told by the variables of Chroma's official image.
#   CHROMA_MODEL_PATH  a folder with the checkpoint, or a hub id; without it, the server's own default
#   DP_SIZE            how many GPUs, each with an engine of its own; without it, one engine
# Whatever follows the image's name in `docker run` is passed on to serve, after these.
set -eu

set -- --host 0.0.0.0 --port 8000 "$@"
if [ -n "${CHROMA_MODEL_PATH:-}" ]; then
    set -- --model "$CHROMA_MODEL_PATH" "$@"
fi
if [ "${DP_SIZE:-1}" -gt 1 ]; then
    set -- --gpus "$(seq -s, 0 $((DP_SIZE - 1)))" "$@"
fi
# As the official image does, it lets everybody in where nothing was said of keys.
case " ${CHROMA_REALTIME_KEYS:+--keys} $* " in
    *" --keys "* | *" --keys="* | *" --open "*) ;;
    *)
        echo 'No keys: everybody who reaches this port may talk. Set CHROMA_REALTIME_KEYS, or give --keys FILE.' >&2
        set -- --open "$@"
        ;;
esac
exec chroma-realtime serve "$@"
