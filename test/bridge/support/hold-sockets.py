"""Holds listening sockets as systemd does for a socket unit, and runs a service with them.

usage: hold-sockets.py NAMES ADDRESS... -- COMMAND...
Prints the ports, then starts the command. Each line on standard input restarts it: SIGTERM, wait, start.
"""

import os
import signal
import socket
import subprocess
import sys

names, *rest = sys.argv[1:]
split = rest.index("--")
sockets = []
for address in rest[:split]:
    if address.startswith("/"):
        held = socket.socket(socket.AF_UNIX)
        held.bind(address)
    else:
        held = socket.socket()
        held.bind((address, 0))
    held.listen(128)
    sockets.append(held)
print(*[held.getsockname()[1] if held.family == socket.AF_INET else 0 for held in sockets], flush=True)


def pass_on():
    # Descriptors from 3 on, without gaps.
    for i, held in enumerate(sockets):
        os.dup2(held.fileno(), 50 + i)
    for i in range(len(sockets)):
        os.dup2(50 + i, 3 + i, inheritable=True)
    os.environ["LISTEN_PID"] = str(os.getpid())


def start():
    env = dict(os.environ, LISTEN_FDS=str(len(sockets)), LISTEN_FDNAMES=names)
    # A shell learns the process id that the command keeps.
    command = ["sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh", *rest[split + 1 :]]
    return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, preexec_fn=pass_on, close_fds=False)


service = start()
for _ in sys.stdin:
    service.send_signal(signal.SIGTERM)
    service.wait()
    service = start()
service.send_signal(signal.SIGTERM)
sys.exit(service.wait())
