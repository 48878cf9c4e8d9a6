#!/usr/bin/env bash
# One spoken question and its answer over HTTP, with curl and jq: examples/shell/chat.sh [QUESTION.wav] [ANSWER.wav]
set -euo pipefail

url=${OPENAI_BASE_URL:-http://127.0.0.1:8000/v1}
question=${1:-$(dirname "$0")/../question.wav}
answer=${2:-answer.wav}

# Sound in base64 is too long for a command line, so the request comes from a pipe.
base64 <"$question" | tr -d '\n' | jq -Rc '{
    modalities: ["text", "audio"],
    audio: {format: "wav"},
    messages: [{role: "user", content: [{type: "input_audio", input_audio: {data: ., format: "wav"}}]}]
}' | curl --silent --show-error --fail-with-body "$url/chat/completions" \
    -H 'Content-Type: application/json' -H "Authorization: Bearer ${OPENAI_API_KEY:-unused}" \
    --data-binary @- >"$answer.json" || { cat "$answer.json" >&2; rm -f "$answer.json"; exit 1; }

jq -r '.choices[0].message.audio.transcript' "$answer.json"
jq -r '.choices[0].message.audio.data' "$answer.json" | base64 -d >"$answer"
rm "$answer.json"
echo "The answer is in $answer."
