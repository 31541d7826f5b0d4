/* Law 6: the edge holds no address book. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { expect, it } from "vitest";
import { answer } from "../../src/directory/index.ts";
import { type FakeEdge, json, startFakeEdge } from "../support/fake-edge.ts";
import { pause, ROOT, startDev, temporaryFolder } from "../support/processes.ts";
import { FAIR, LawEdge, startEdges } from "./support/edges.ts";
import { startBridge, startFrontEnds } from "./support/front-ends.ts";
import { LARGE, many, Publisher } from "./support/publishing.ts";

const SMALL = "small.example";
const BIG = "large.example";
/** Local parts that do not occur by chance: one of each state, one that left, one that was never listed. */
const ACTIVE = "zaphodbeeblebrox";
const DISABLED = "trillianmcmillan";
const MOVED = "slartibartfast";
const FULL = "hotblackdesiato";
const LEFT = "fordprefect";
const STRANGER = "agrajagofnowhere";
const LOCALS = [ACTIVE, DISABLED, MOVED, FULL, LEFT, STRANGER];
const LIST = `${ACTIVE} ${DISABLED},disabled ${MOVED},moved ${FULL},full`;

/** The forms in which a name could be in bytes without being hidden. */
function spellings(local: string): string[] {
  const bytes = Buffer.from(local);
  const base64 = [0, 1, 2].map((shift) =>
    // Without the characters at both ends, which depend on their neighbours.
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .replace(/=/g, "")
      .slice(shift + 1, -2),
  );
  return [local, bytes.toString("hex"), ...base64, Buffer.from(local, "utf16le").toString("latin1")];
}

/** Local parts that are found in bytes, in any form and case. */
function found(bytes: Uint8Array | string): string[] {
  const text = typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("latin1");
  const lower = text.toLowerCase();
  return [...LOCALS, "user7"].flatMap((local) =>
    spellings(local).filter((spelling) => text.includes(spelling) || lower.includes(spelling)),
  );
}

const filesUnder = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());

/** Publishes twice, so that a name left, then a large list, a rollback, a deletion, tokens. */
async function publishEverything(publisher: Publisher): Promise<void> {
  await publisher.publish(SMALL, `${LIST} ${LEFT}`);
  await publisher.publish(SMALL, LIST);
  await publisher.publish(BIG, `${many(LARGE)} ${LIST}`);
  await publisher.publish("gone.example", `${LIST} ${LEFT}`);
  expect(await publisher.run("delete gone.example --yes")).toMatchObject({ code: 0 });
  await publisher.publish("back.example", `${LIST} ${LEFT}`);
  await publisher.publish("back.example", LIST);
  expect(await publisher.run("rollback back.example --yes")).toMatchObject({ code: 0 });
  await publisher.token("--role check --all-domains --note mx1");
  // What the guard refused leaves no trace either.
  expect(await publisher.tryPublish(SMALL, STRANGER)).toMatchObject({ code: 4 });
}

/** Asks about every name in every form, and makes requests that fail. */
async function askEverything(edge: LawEdge): Promise<void> {
  for (const local of LOCALS) {
    for (const domain of [SMALL, BIG, "gone.example", "elsewhere.example"]) {
      const address = `${local}@${domain}`;
      await edge.ask(address);
      await edge.fetch(`/v1/rcpt/${encodeURIComponent(address)}`);
      const lines = { method: "POST", body: `${address}\n`, headers: { "Content-Type": "text/plain" } };
      await edge.fetch("/v1/rcpt", lines);
      // Malformed requests: a wrong token, a wrong route, a truncated body, a wrong type.
      await edge.fetch("/v1/rcpt", lines, "wrong");
      await edge.fetch(`/v1/recipient/${address}`);
      await edge.fetch(`/v1/domains/${encodeURIComponent(address)}`);
      await edge.fetch("/v1/rcpt", { method: "POST", body: `{"recipient":"${address}` });
      await edge.post("/v1/rcpt", { recipient: [address] });
      await edge.post("/v1/rcpt", { recipient: address, floor: address });
      await edge.post("/v1/rcpt", {
        recipient: `${local} ${local}@${domain}`,
        sender: address,
        client: address,
      });
    }
  }
}

it.concurrent("Local parts are in KV only as keyed fingerprints: no key and no value contains one", async () => {
  const edges = await startEdges({ only: {} });
  await publishEverything(new Publisher(edges.edge.only));
  await edges.copied();
  const keys = await edges.keys();
  expect(keys.some((key) => key.startsWith("shard/"))).toBe(true);
  expect(found(keys.join("\n"))).toEqual([]);
  for (const key of keys) expect({ key, found: found(await edges.read(key)) }).toEqual({ key, found: [] });
  // The search does find names that are there.
  expect(Buffer.from(await edges.read(`domain/${SMALL}`)).toString("latin1")).toContain(SMALL);
  for (const spelling of spellings(ACTIVE)) expect(found(`x${spelling}x`)).not.toEqual([]);
  expect(found(Buffer.from(`ab${ACTIVE}cd`).toString("base64"))).not.toEqual([]);
  // A fingerprint is keyed: the same name in two lists has nothing in common.
  const description = async (domain: string) =>
    (await edges.edge.only.json<{ shards: { inline: string } }>(`/v1/domains/${domain}`)).shards.inline;
  const tailsOf = (inline: string) => Buffer.from(inline, "base64url").subarray(536).toString("hex");
  await new Publisher(edges.edge.only).publish("one.example", ACTIVE);
  await new Publisher(edges.edge.only).publish("two.example", ACTIVE);
  const [one, two] = [await description("one.example"), await description("two.example")];
  expect(tailsOf(one)).not.toBe(tailsOf(two));
});

it.concurrent("Local parts are in the Registry only as keyed fingerprints: no file on the disk of a running edge contains one", async () => {
  const home = temporaryFolder();
  const dev = await startDev("state", { home });
  const token = readFileSync(join(home, "state", "admin-token"), "utf8").trim();
  const publisher = new Publisher(dev, { ROLLCALL_TOKEN: token });
  await publishEverything(publisher);
  const { audit } = JSON.parse(
    await (await fetch(`${dev.url}/v1/audit`, { headers: { Authorization: `Bearer ${token}` } })).text(),
  ) as { audit: unknown[] };
  expect(audit.length).toBeGreaterThan(5);
  expect(found(JSON.stringify(audit))).toEqual([]);
  const storage = join(home, "state", "v3");
  const scan = () => {
    const files = filesUnder(storage);
    expect(files.some((file) => file.endsWith(".sqlite"))).toBe(true);
    const contents = files.flatMap((file) => {
      // KV may delete replaced files during the search.
      const bytes = existsSync(file) ? readFileSync(file) : null;
      return bytes === null ? [] : [{ file, bytes }];
    });
    expect(contents.some(({ bytes }) => bytes.includes(SMALL))).toBe(true);
    for (const { file, bytes } of contents)
      expect({ file, found: found(bytes) }).toEqual({ file, found: [] });
  };
  // While it runs, including write-ahead logs, and after it has stopped.
  scan();
  await dev.process.stop();
  scan();
});

it.concurrent("Logs contain no recipient addresses: the edge's, in normal operation and while KV and the Registry fail", async () => {
  const edges = await startEdges({ well: {}, ill: {} });
  const { well, ill } = edges.edge;
  await publishEverything(new Publisher(well));
  await ill.weather({ registry: "fails", kv: "fails" });
  await Promise.all([askEverything(well), askEverything(ill)]);
  await ill.weather({ ...FAIR, blobs: "fails" });
  await ill.restart();
  await ill.ask(`${STRANGER}@${BIG}`);
  await pause(200);
  expect(found(edges.log.join("\n"))).toEqual([]);
});

it.concurrent("Logs contain no recipient addresses: what rollcall dev prints", async () => {
  const home = temporaryFolder();
  const dev = await startDev("state", { home });
  const token = readFileSync(join(home, "state", "admin-token"), "utf8").trim();
  const publisher = new Publisher(dev, { ROLLCALL_TOKEN: token });
  await publishEverything(publisher);
  await askEverything(new LawEdge(dev.url, token));
  const { stdout, stderr } = await dev.process.stop();
  expect(stdout).toContain("ready");
  expect(found(stdout + stderr)).toEqual([]);
});

/** Answers every request with an error that contains the recipient. */
const complain: FakeEdge["respond"] = ({ body }, response) => {
  const recipient = (JSON.parse(body || "{}") as { recipient?: string }).recipient ?? "";
  const kind = recipient.length % 4;
  if (kind === 0) json(response, { error: { code: "bad_request", message: `what is ${recipient}?` } }, 400);
  else if (kind === 1) response.writeHead(301, { location: `https://x.example/${recipient}` }).end();
  else if (kind === 2) response.writeHead(200, { "content-type": "text/html" }).end(`<h1>${recipient}</h1>`);
  else
    json(
      response,
      answer(recipient, "unknown", { domain: SMALL, generation: 7, maxAge: 29, confirmedAge: 1 }),
    );
};

it.concurrent("Logs contain no recipient addresses: the bridge's at the most verbose level, and its metrics", async () => {
  const fake = await startFakeEdge(complain);
  const bridge = await startBridge(fake.url, ["--log-level", "debug", "--breaker-failures", "3"]);
  const ask = async (local: string): Promise<unknown> => {
    for (const way of ["recipients", "access", "policy", "line"]) {
      await bridge.act(way, `${local}@${SMALL}`);
      await bridge.act(way, `${local}x@${BIG}`);
    }
    // Malformed requests.
    const no = [`${local}@${SMALL}`, `${local}@${SMALL}\n\n`, `${local}@`];
    return Promise.all(["socketmap", "policy", "line"].map((name, i) => bridge.send(name, no[i] as string)));
  };
  await Promise.all(LOCALS.map(ask));
  const metrics = await bridge.metrics();
  const { stdout, stderr } = await bridge.running.stop();
  expect(metrics).toContain("rollcall_bridge_lookups_total");
  expect(stderr).toContain("no-answer");
  expect(stderr).toContain("bad-question");
  expect(found(stdout + stderr + metrics)).toEqual([]);
});

it("Logs contain no recipient addresses: Cloudflare's invocation logs, which contain URLs, are off", () => {
  const config = parse(readFileSync(join(ROOT, "wrangler.toml"), "utf8")) as {
    observability?: { logs?: { invocation_logs?: unknown } };
    preview_urls?: unknown;
    logpush?: unknown;
  };
  expect(config.observability?.logs?.invocation_logs).toBe(false);
  expect(config.preview_urls).toBe(false);
  expect(config.logpush).toBeUndefined();
});

it.concurrent("Our own clients send addresses in bodies, never in URLs or headers", async () => {
  const edges = await startEdges({ only: {} });
  const edge = edges.edge.only;
  const road = await startFakeEdge(() => undefined);
  // All that our clients send passes here, on its way to the real edge.
  road.respond = (_, response) => {
    const { method, path, headers, body } = road.requests.at(-1) as (typeof road.requests)[0];
    const init = { method, headers: { "Content-Type": headers["content-type"] ?? "application/json" } };
    const sent = method === "GET" ? init : { ...init, body };
    const token = headers.authorization?.replace(/^Bearer /, "") ?? null;
    void edge.fetch(path, sent, token).then(async (got) => {
      const type = got.headers.get("content-type") ?? "";
      response.writeHead(got.status, { "content-type": type }).end(Buffer.from(await got.arrayBuffer()));
    });
  };
  const publisher = new Publisher(road);
  await publisher.publish(SMALL, `${LIST} ${LEFT}`);
  await publisher.publish(SMALL, LIST);
  const everybody = LOCALS.map((local) => `${local}@${SMALL}`);
  for (const command of [`check ${everybody.join(" ")}`, `status ${SMALL}`, `history ${SMALL}`]) {
    expect(await publisher.run(command)).toMatchObject({ code: 0 });
  }
  expect(await publisher.run(`rollback ${SMALL} --yes`)).toMatchObject({ code: 0 });
  const ways = await startFrontEnds(road.url, 3);
  for (const recipient of everybody) await ways.acts(recipient);

  const checks = road.requests.filter(({ body }) => found(body).length > 0);
  expect(checks.length).toBeGreaterThan(2 * LOCALS.length);
  for (const { method, path } of checks)
    expect({ method, path }).toEqual({ method: "POST", path: "/v1/rcpt" });
  for (const { path, headers } of road.requests) {
    expect(found(path) + found(JSON.stringify(headers)).join()).toBe("");
    expect(decodeURIComponent(path)).not.toContain("@");
  }
});
