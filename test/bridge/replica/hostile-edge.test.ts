import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { FULL, ifFull } from "../../support/full.ts";
import { pause, temporaryFolder } from "../../support/processes.ts";
import { type ReplicaBridge, startReplica, useRealEdge } from "./support.ts";

const SLOW = 180_000;
const DOMAIN = "a.example";
const ALICE = `alice@${DOMAIN}`;
const NOBODY = `nobody@${DOMAIN}`;
const MIB = 1024 * 1024;
/** Between two questions, so that the bridges of all cases leave each other time. */
const PAUSE_MS = 100;

/** The members of an answer to a poll that these tests change. */
type Changes = Record<string, unknown> & { incarnation: number; as_of: number; time: number };

/** Answers a poll in place of the edge. */
type Tamper = (answer: Changes, response: ServerResponse) => void;

const json = (response: ServerResponse, value: unknown): void => {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
};

/** What is wrong with an answer, and what the log says of it. check-changes.test.ts and test/client have the rest. */
const HOSTILE: readonly (readonly [name: string, tamper: Tamper, fault: string, why: RegExp])[] = [
  [
    "100 MB long",
    (_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      let left = 100;
      const more = (): void => {
        if (left-- <= 0 || response.destroyed) response.end();
        else response.write(" ".repeat(MIB), more);
      };
      more();
    },
    "unusable",
    /longer than/,
  ],
  [
    "cut off",
    (answer, response) => {
      const text = JSON.stringify(answer);
      response.writeHead(200, { "content-type": "application/json", "content-length": text.length });
      response.write(text.slice(0, text.length / 2), () => response.destroy());
    },
    "unreachable",
    /./,
  ],
  ["HTML", (_, response) => response.end("<html>Sign in</html>"), "unusable", /./],
  [
    "for another question",
    (answer, response) => json(response, { ...answer, nonce: "0123456789abcdef" }),
    "unusable",
    /another question/,
  ],
  [
    "about something that is no domain",
    (answer, response) => json(response, { ...answer, heads: [["../../etc/passwd", 1]] }),
    "unusable",
    /./,
  ],
  [
    "from an older log",
    (answer, response) => json(response, { ...answer, incarnation: answer.incarnation - 1, full: true }),
    "older",
    /older log/,
  ],
  [
    "from an earlier point of the log",
    (answer, response) => json(response, { ...answer, as_of: 0, full: true, heads: [] }),
    "older",
    /restored to an earlier time/,
  ],
];

/** Tried without ROLLCALL_FULL=1, too: one that is no answer, and one that is false. */
const isSample = ([name]: (typeof HOSTILE)[number]): boolean => /^(?:HTML|from an older log)$/.test(name);

describe("a replica whose edge answers polls badly", () => {
  const edge = useRealEdge();
  let token: string;

  beforeAll(async () => {
    await edge.publish(DOMAIN, ["alice", "bob"]);
    token = await edge.token(DOMAIN);
  }, SLOW);

  const refuses = async (...[, badly, fault, why]: (typeof HOSTILE)[number]): Promise<void> => {
    const proxy = await startTamperingProxy(edge.url);
    const bridge = await startReplica(proxy, token, join(temporaryFolder(), "replica"));
    await bridge.logged("replica-ready");
    await confirmed(bridge);
    const from = bridge.log.length;
    proxy.tamper = badly;
    const line = await bridge.logged("replica-unconfirmed", { fault }, from);
    expect(line.why).toMatch(why);
    // The last good answer still confirms for a while; then the edge is asked. Where it is slow, a check is deferred.
    for (let said = ""; said !== "550 edge"; await pause(PAUSE_MS)) {
      said = await bridge.said(NOBODY);
      expect(said).toMatch(/^(550|451) /);
    }
    for (let reply = ""; !reply.startsWith("250"); await pause(PAUSE_MS)) {
      reply = await bridge.reply(ALICE);
      expect(reply).toMatch(/^(250|451) /);
    }
    expect(await residentMiB(bridge)).toBeLessThan(200);
    proxy.tamper = null;
    await confirmed(bridge);
    expect(bridge.log.filter(({ event }) => event === "fault")).toEqual([]);
    await bridge.running.stop();
    proxy.close();
  };
  // At the same time, each with a bridge of its own: most of a case is waiting for windows to end.
  const title = "refuses an answer that is %s, says so, and asks the edge";
  const options = { timeout: 2 * SLOW };
  it.concurrent.each(HOSTILE.filter(isSample))(title, options, refuses);
  (FULL ? it.concurrent : it.skip).each(HOSTILE.filter((each) => !isSample(each)))(
    ifFull(title),
    options,
    refuses,
  );
});

/** Waits until the replica refuses by itself. */
async function confirmed(bridge: ReplicaBridge): Promise<void> {
  while ((await bridge.said(`n${Math.random()}@${DOMAIN}`)) !== "550 replica") await pause(PAUSE_MS);
}

async function residentMiB(bridge: ReplicaBridge): Promise<number> {
  const [, bytes] = /^process_resident_memory_bytes (\S+)$/m.exec(await bridge.metrics()) ?? [];
  return Number(bytes) / MIB;
}

/** A proxy of the edge that changes its answers to polls. */
interface TamperingProxy {
  readonly url: string;
  tamper: Tamper | null;
  close(): void;
}

async function startTamperingProxy(edge: string): Promise<TamperingProxy> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts);
      const pass = async (): Promise<void> => {
        const reply = await fetch(`${edge}${request.url}`, {
          method: request.method ?? "GET",
          headers: {
            authorization: request.headers.authorization ?? "",
            "content-type": request.headers["content-type"] ?? "application/octet-stream",
          },
          ...(body.length > 0 ? { body } : {}),
        });
        const bytes = Buffer.from(await reply.arrayBuffer());
        if (proxy.tamper !== null && request.url === "/v1/changes" && reply.status === 200) {
          proxy.tamper(JSON.parse(bytes.toString()) as Changes, response);
          return;
        }
        response.writeHead(reply.status, { "content-type": reply.headers.get("content-type") ?? "" });
        response.end(bytes);
      };
      pass().catch(() => response.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy: TamperingProxy = {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    tamper: null,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return proxy;
}
