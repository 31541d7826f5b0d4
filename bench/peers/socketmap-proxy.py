"""The same as socketmap-proxy.js in Python, on asyncio and aiohttp, as Mailu's Podop is made.

Podop opens a connection for each lookup; here they are kept. Settings in the environment: URL of the edge, TOKEN,
and SOCKET, the path to listen on.
"""

import asyncio
import os

import aiohttp

URL = os.environ["URL"] + "/v1/rcpt"
HEADERS = {"Authorization": "Bearer " + os.environ["TOKEN"]}


async def look_up(session, key):
    """What the table says about one key."""
    try:
        async with session.post(URL, json={"recipient": key}, headers=HEADERS) as response:
            if response.status != 200:
                return f"TEMP HTTP {response.status}"
            action = (await response.json())["action"]
    except (aiohttp.ClientError, asyncio.TimeoutError, KeyError, ValueError) as error:
        return f"TEMP {type(error).__name__}"
    return {"accept": "OK deliverable", "reject": "NOTFOUND "}.get(action, "TEMP deferred")


async def serve(session, reader, writer):
    """Netstrings of `map key` in, netstrings out, one after the other."""
    try:
        while True:
            length = int((await reader.readuntil(b":"))[:-1])
            question = (await reader.readexactly(length + 1))[:-1].decode()
            answer = await look_up(session, question.partition(" ")[2])
            writer.write(f"{len(answer)}:{answer},".encode())
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    timeout = aiohttp.ClientTimeout(total=3)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        await asyncio.start_unix_server(lambda *streams: serve(session, *streams), os.environ["SOCKET"])
        print("ready", flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
