// A socketmap service as they are commonly made: one HTTP request a lookup, over connections that are kept. On the
// runtime and the HTTP client that the bridge has too. Settings in the environment: URL of the edge, TOKEN, and
// SOCKET, the path to listen on.
import { createServer } from "node:net";

const { URL: url, TOKEN: token, SOCKET: path } = process.env;
const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };

/** What the table says about one key. */
async function lookUp(key) {
  try {
    const response = await fetch(`${url}/v1/rcpt`, {
      method: "POST",
      headers,
      body: JSON.stringify({ recipient: key }),
      signal: AbortSignal.timeout(3_000),
    });
    if (response.status !== 200) return `TEMP HTTP ${response.status}`;
    const { action } = await response.json();
    if (action === "accept") return "OK deliverable";
    return action === "reject" ? "NOTFOUND " : "TEMP deferred";
  } catch (error) {
    return `TEMP ${error.name}`;
  }
}

/** The netstring at the head of the bytes; null if it is not whole. */
function netstringIn(bytes) {
  const colon = bytes.indexOf(":");
  const end = colon + 1 + Number(bytes.toString("latin1", 0, colon));
  if (colon < 0 || bytes.length <= end) return null;
  return { text: bytes.toString("utf8", colon + 1, end), rest: bytes.subarray(end + 1) };
}

/** Netstrings of `map key` in, netstrings out, one after the other. */
async function serve(socket) {
  let bytes = Buffer.alloc(0);
  for await (const piece of socket) {
    bytes = bytes.length === 0 ? piece : Buffer.concat([bytes, piece]);
    for (let found = netstringIn(bytes); found !== null; found = netstringIn(bytes)) {
      bytes = found.rest;
      const answer = await lookUp(found.text.slice(found.text.indexOf(" ") + 1));
      socket.write(`${answer.length}:${answer},`);
    }
  }
}

createServer((socket) => void serve(socket).catch(() => socket.destroy())).listen(path, () =>
  console.log("ready"),
);
