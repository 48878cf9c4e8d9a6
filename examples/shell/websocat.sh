#!/usr/bin/env bash
# A written conversation in the terminal, with websocat and jq: examples/shell/websocat.sh ["Your words."]
# websocat is at https://github.com/vi/websocat; WEBSOCAT names another program that takes the same arguments.
set -euo pipefail

url=${OPENAI_BASE_URL:-http://127.0.0.1:8000/v1}
words=${1:-What is a taco made of?}
websocat=${WEBSOCAT:-websocat}
command -v "$websocat" jq >/dev/null || { echo "$0 needs websocat and jq" >&2; exit 1; }

coproc SOCKET {
    "$websocat" -H "Authorization: Bearer ${OPENAI_API_KEY:-unused}" \
        "${url/#http/ws}/realtime?model=chroma"
}
exec {from}<&"${SOCKET[0]}" {to}>&"${SOCKET[1]}"

# Each line that goes in is an event of the client's, each line that comes out is one of the server's.
jq -nc '{type: "session.update", session: {type: "realtime", output_modalities: ["text"]}}' >&"$to"
jq -nc --arg words "$words" '{type: "conversation.item.create", item:
    {type: "message", role: "user", content: [{type: "input_text", text: $words}]}}' >&"$to"
echo '{"type": "response.create"}' >&"$to"

while read -r event <&"$from"; do
    case $(jq -r .type <<<"$event") in
        response.output_text.delta) jq -j .delta <<<"$event" ;;
        response.done) echo && exit ;;
        error) jq -r .error.message <<<"$event" >&2 && exit 1 ;;
    esac
done
echo 'The connection ended before there was an answer.' >&2
exit 1
