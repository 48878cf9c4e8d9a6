"""As much of websocat's command line as examples/shell/websocat.sh uses: `websocat [-H HEADER] URL`.

A line of standard input is a message, a message is a line of standard output; the end of the input ends it.
"""

import argparse
import asyncio
import sys

from websockets.asyncio.client import connect


async def main(url, headers):
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with connect(url, additional_headers=headers, max_size=None) as socket:

        async def out():
            async for message in socket:
                print(message, flush=True)

        telling = asyncio.create_task(out())
        while line := await lines.readline():
            await socket.send(line.decode().rstrip("\n"))
        telling.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("url")
    options = parser.parse_args()
    asyncio.run(main(options.url, [tuple(header.split(": ", 1)) for header in options.header]))
