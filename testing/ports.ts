import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/**
 * Below the ports that systems give to outgoing connections (from 32768 on Linux), so that none of those takes one, and above
 * those that our pages name (10023 to 10030), which some tests take as they stand.
 */
const FIRST = 11_000;
const LAST = 32_000;

/**
 * A port of 127.0.0.1 for a server that is stopped and started again. Nobody else gets it while this process lives: it
 * holds the UDP port of the same number, and every process of the tests looks there first.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if ((await claim(port)) && (await isFree(port))) return port;
  }
}

const claim = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createSocket("udp4").unref();
    socket.once("error", () => resolve(false));
    socket.bind(port, "127.0.0.1", () => resolve(true));
  });

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
