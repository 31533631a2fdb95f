"""A WebSocket client that shares no code with ours: `foreign.py <url> [subprotocol]`.

Sends each line of stdin as one text frame. Prints a line of JSON for everything that happens to it:
{"open": <subprotocol>, "compressed": <bool>}, {"text": <frame>}, {"refused": <status>}, {"closed": <code>}.
The end of stdin closes the connection in order.
"""

import asyncio
import json
import sys

import websockets


def tell(**event):
    print(json.dumps(event), flush=True)


async def lines():
    reader = asyncio.StreamReader(limit=2**24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().rstrip("\n")


async def hear(socket):
    async for text in socket:
        tell(text=text)


async def main(url, *subprotocols):
    try:
        socket = await websockets.connect(url, subprotocols=list(subprotocols) or None)
    except websockets.exceptions.InvalidStatusCode as refusal:
        tell(refused=refusal.status_code)
        return
    tell(open=socket.subprotocol, compressed=len(socket.extensions) > 0)
    hearing = asyncio.create_task(hear(socket))
    async for line in lines():
        await socket.send(line)
    await socket.close()
    await hearing
    tell(closed=socket.close_code)


asyncio.run(main(*sys.argv[1:]))
