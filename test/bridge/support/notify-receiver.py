"""A notify socket as systemd has it: prints each message as a line of JSON, with the process that sent it."""

import array
import json
import os
import socket
import sys

receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
print("ready", flush=True)
while True:
    message, ancillary, _, _ = receiver.recvmsg(65536, 4096)
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            # A barrier: its sender waits until this descriptor is closed.
            for descriptor in array.array("i", data[: len(data) - len(data) % 4]):
                os.close(descriptor)
    text = message.decode()
    if text != "BARRIER=1":
        print(json.dumps(dict(line.split("=", 1) for line in text.strip().split("\n"))), flush=True)
