import { isDeepStrictEqual } from "node:util";
import { beforeAll, expect, it, vi } from "vitest";
import { pause } from "../support/processes.ts";
import { type Edges, type LawEdge, startEdges, until, WINDOW, WINDOW_MS } from "./support/edges.ts";
import { all, type Bridge, startBridge, startFrontEnds } from "./support/front-ends.ts";
import { Publisher } from "./support/publishing.ts";
import { startRoad } from "./support/road.ts";

/** Accept-grace of the edge that has a short one, and of the bridge, seconds. */
const GRACE = 4;
const BRIDGE_GRACE = 5;
/** How much two clocks may differ, ms. */
const SLACK = 250;

// The tests mostly wait.
vi.setConfig({ maxConcurrency: 12 });

const short = { ROLLCALL_WINDOW: String(WINDOW) };
const SHORT = {
  publisher: short,
  away: short,
  hung: short,
  late: short,
  left: short,
  newcomer1: short,
  newcomer2: short,
  leaver: short,
  removed: short,
  lapsed: short,
  cold: short,
  bridged: short,
  confirmed: short,
};
let edges: Edges<keyof typeof SHORT | "preset" | "grace">;
let publisher: Publisher;

beforeAll(async () => {
  edges = await startEdges({
    ...SHORT,
    grace: { ...short, ROLLCALL_ACCEPT_GRACE: String(GRACE) },
    preset: {},
  });
  publisher = new Publisher(edges.edge.publisher);
  await publisher.publish("first.example", "alice bob,disabled carol,moved");
  await edges.copied();
});

/** Asks about an unknown name until the isolate's answer is confirmed. */
async function confirmed(edge: LawEdge, domain: string): Promise<void> {
  await until(async () => (await edge.check(`nobody@${domain}`)).verdict === "unknown");
}

/**
 * Asks, and records between which times the answer was made, however busy the machine: an answer that still holds was made
 * after `at`, and one that does not hold any more was made before `by`.
 */
async function timed<T>(
  ask: () => Promise<T>,
): Promise<{ readonly at: number; readonly said: T; readonly by: number }> {
  const at = Date.now();
  return { at, said: await ask(), by: Date.now() };
}

const PERMANENT = {
  "nobody@first.example": "unknown",
  "bob@first.example": "disabled",
  "carol@first.example": "moved",
  "x@elsewhere.example": "not-served",
  ".nobody@first.example": "malformed",
};

it.concurrent("Every permanent verdict that depends on the list, its policy or the set of served domains is given only from a state that the Registry confirmed", async () => {
  const { confirmed: edge } = edges.edge;
  for (const [recipient, verdict] of Object.entries(PERMANENT)) {
    const answer = await edge.check(recipient);
    expect(answer).toMatchObject({ verdict, action: "reject", confirmed_age: expect.any(Number) });
  }
  const unlistable = await edge.check("a\u0000b@first.example");
  expect(unlistable).toMatchObject({ verdict: "malformed", confirmed_age: expect.any(Number) });
  // If no domain can be read, there is nothing to confirm.
  await edge.weather({ registry: "fails", kv: "fails" });
  await edge.restart();
  for (const recipient of ["nonsense", "@first.example:", "a\u0000b"]) {
    expect(await edge.check(recipient)).toMatchObject({ verdict: "malformed", action: "reject" });
  }
  expect(await edge.check("a\u0000b@first.example")).toMatchObject({ action: "defer" });
});

it.concurrent("If the state was not confirmed in time, refusals become deferrals and accepts go on, at the edge and at every front end", async () => {
  const { away } = edges.edge;
  const ways = await startFrontEnds(away.url, 3);
  await confirmed(away, "first.example");
  await until(async () => isDeepStrictEqual(await ways.acts("nobody@first.example"), all("refuse")));
  await away.weather({ registry: "fails" });
  await pause(WINDOW_MS + SLACK);
  for (const recipient of Object.keys(PERMANENT)) {
    expect(await away.ask(recipient)).toMatchObject({ status: 503, answer: { verdict: "unavailable" } });
    expect(await ways.acts(recipient)).toEqual(all("defer"));
  }
  expect(await ways.acts("alice@first.example")).toEqual(all("accept"));
  expect(await away.check("alice@first.example")).toMatchObject({ action: "accept", max_age: 0 });
});

it.concurrent("If the state was not confirmed in time because the Registry hangs, refusals become deferrals too", async () => {
  const { hung } = edges.edge;
  await confirmed(hung, "first.example");
  await hung.weather({ registry: "hangs" });
  await pause(WINDOW_MS + SLACK);
  const answers = await hung.checkAll([...Object.keys(PERMANENT), "alice@first.example"]);
  expect(answers.map(({ action }) => action)).toEqual([
    ...Object.keys(PERMANENT).map(() => "defer"),
    "accept",
  ]);
});

it.concurrent("The window is 30 s by default, and counts from before the question was sent", async () => {
  const { preset, late } = edges.edge;
  await preset.weather({ late: 1_200 });
  const answer = await preset.check("nobody@first.example");
  expect(answer).toMatchObject({ verdict: "unknown", action: "reject" });
  expect(answer.confirmed_age).toBeGreaterThanOrEqual(2);
  expect((answer.confirmed_age ?? 0) + answer.max_age).toBe(30);
  // An answer that took longer than the window confirms nothing.
  await late.weather({ late: WINDOW_MS + SLACK });
  expect(await late.check("nobody@first.example")).toMatchObject({ verdict: "unavailable" });
});

it.concurrent("A refusal's max_age is what is left of the window: max_age and confirmed_age never exceed it", async () => {
  const { left } = edges.edge;
  await confirmed(left, "first.example");
  let refusals = 0;
  for (const end = Date.now() + 2 * WINDOW_MS; Date.now() < end; await pause(40)) {
    const { action, confirmed_age: age, max_age } = await left.check("nobody@first.example");
    if (action !== "reject") continue;
    refusals++;
    expect(age).not.toBeNull();
    expect((age ?? 0) + max_age).toBeLessThanOrEqual(WINDOW);
  }
  expect(refusals).toBeGreaterThan(0);
  const down = Date.now();
  await left.weather({ registry: "fails" });
  let deferred = 0;
  while (deferred < 3) {
    const { at, said } = await timed(() => left.check("nobody@first.example"));
    expect(["reject", "defer"]).toContain(said.action);
    if (said.action === "defer") deferred++;
    else {
      // The last question may have been pending when the Registry stopped.
      expect(at).toBeLessThan(down + WINDOW_MS + SLACK);
      expect(at + 1000 * said.max_age).toBeLessThan(down + WINDOW_MS + SLACK);
    }
  }
});

it.concurrent("A domain that the client's token names is deferred if the Registry has no head of it at all", async () => {
  const domain = "named.example";
  const { publisher: at } = edges.edge;
  const named = await publisher.token(`--role check --domain ${domain} --domain first.example`);
  const anybody = await publisher.token("--role check --all-domains");
  const ask = async (recipient: string, token: string): Promise<{ status: number; answer: unknown }> => {
    const response = await at.post("/v1/rcpt", { recipient }, token);
    return { status: response.status, answer: await response.json() };
  };
  expect(await ask(`alice@${domain}`, named)).toMatchObject({
    status: 503,
    answer: { verdict: "unavailable", action: "defer", detail: expect.stringContaining("has no list of") },
  });
  const refused = { status: 200, answer: { verdict: "not-served", action: "reject" } };
  expect(await ask(`alice@${domain}`, anybody)).toMatchObject(refused);
  expect(await ask("nobody@first.example", named)).toMatchObject({ answer: { verdict: "unknown" } });
  await publisher.publish(domain, "alice");
  expect(await ask(`alice@${domain}`, named)).toMatchObject({ answer: { verdict: "deliverable" } });
  expect(await ask(`nobody@${domain}`, named)).toMatchObject({ answer: { verdict: "unknown" } });
});

it.concurrent("A mailbox is never refused more than one window after its publish was acknowledged, anywhere", async () => {
  const domain = "newcomer.example";
  const { newcomer1, newcomer2, publisher: here } = edges.edge;
  await publisher.publish(domain, "alice");
  await edges.copied();
  const askers: Record<string, () => Promise<string>> = {};
  let bridge: Bridge | null = null;
  for (const [name, edge] of Object.entries({ newcomer1, newcomer2 })) {
    // KV shows nothing newer for the whole test.
    await edge.weather({ kv: "frozen" });
    await confirmed(edge, domain);
    expect(await edge.check(`zoe@${domain}`)).toMatchObject({ verdict: "unknown", action: "reject" });
    askers[name] = async () => (await edge.check(`zoe@${domain}`)).action;
    bridge = await startBridge(edge.url);
    const { act } = { act: bridge.act.bind(bridge) };
    askers[`bridge before ${name}`] = async () => {
      const said = await act("line", `zoe@${domain}`);
      return said === "refuse" ? "reject" : said;
    };
  }
  await publisher.publish(domain, "alice zoe");
  const acknowledged = Date.now();
  // Immediately in the isolate that took the publish.
  expect(await here.check(`zoe@${domain}`)).toMatchObject({ action: "accept" });
  const accepted = new Set<string>();
  while (accepted.size < Object.keys(askers).length) {
    await Promise.all(
      Object.entries(askers).map(async ([name, ask]) => {
        const { at, said } = await timed(ask);
        if (said === "accept") accepted.add(name);
        else if (said === "reject") expect(at).toBeLessThan(acknowledged + WINDOW_MS + SLACK);
      }),
    );
    await pause(30);
  }
});

it.concurrent("An accept may be older by one window in an isolate that has confirmed the domain", async () => {
  const domain = "leaver.example";
  const { leaver } = edges.edge;
  await publisher.publish(domain, "alice bob zoe");
  await edges.copied();
  await leaver.weather({ kv: "frozen" });
  await confirmed(leaver, domain);
  await publisher.publish(domain, "alice bob");
  const acknowledged = Date.now();
  for (;;) {
    const { at, said } = await timed(() => leaver.check(`zoe@${domain}`));
    if (said.verdict === "departed") break;
    if (said.action === "accept") {
      expect(at).toBeLessThan(acknowledged + WINDOW_MS + SLACK);
      expect(at + 1000 * said.max_age).toBeLessThan(acknowledged + WINDOW_MS + SLACK);
    }
    await pause(20);
  }
});

it.concurrent("A leaver that a single change removes is deferred within one window, or refused with --now, in an isolate that has confirmed the domain", async () => {
  const domain = "removed.example";
  const { removed } = edges.edge;
  await publisher.publish(domain, "alice bob carol dave erin frank gina harry ivan zoe yan");
  await edges.copied();
  await removed.weather({ kv: "frozen" });
  for (const [args, local, action] of [
    ["", "zoe", "defer"],
    [" --now", "yan", "reject"],
  ] as const) {
    await confirmed(removed, domain);
    expect(await removed.check(`${local}@${domain}`)).toMatchObject({ action: "accept" });
    expect(await publisher.run(`remove ${local}@${domain}${args}`, "yes")).toMatchObject({ code: 0 });
    const acknowledged = Date.now();
    for (;;) {
      const { at, said } = await timed(() => removed.check(`${local}@${domain}`));
      if (said.action === action && said.verdict === (action === "defer" ? "departed" : "unknown")) break;
      expect(at).toBeLessThan(acknowledged + WINDOW_MS + SLACK);
      await pause(20);
    }
  }
  expect(await removed.check(`zoe@${domain}`)).toMatchObject({ verdict: "departed" });
});

it.concurrent("An accept may be older by KV's delay in an isolate that is cold or lapsed, which asks the Registry meanwhile", async () => {
  const domain = "delayed.example";
  const { cold, lapsed } = edges.edge;
  const first = await publisher.publish(domain, "alice bob zoe");
  await edges.copied();
  for (const edge of [cold, lapsed]) await edge.weather({ kv: "frozen" });
  await confirmed(lapsed, domain);
  const second = await publisher.publish(domain, "alice bob");
  await pause(WINDOW_MS + SLACK);
  for (const edge of [cold, lapsed]) {
    // Not confirmed: it must not be reused.
    const old = { verdict: "deliverable", generation: first, confirmed_age: null, max_age: 0 };
    expect(await edge.check(`zoe@${domain}`)).toMatchObject(old);
    await until(async () => (await edge.check(`zoe@${domain}`)).generation === second);
    expect(await edge.check(`zoe@${domain}`)).toMatchObject({ verdict: "departed", action: "defer" });
  }
});

it.concurrent("An accept may be older by accept-grace while the Registry does not answer, and no longer", async () => {
  const domain = "grace.example";
  const { grace } = edges.edge;
  await publisher.publish(domain, "alice");
  await edges.copied();
  await confirmed(grace, domain);
  // KV is frozen too: the Registry's heartbeat in it would count as contact.
  await grace.weather({ kv: "frozen" });
  let before: number;
  let down: number;
  do {
    // On a busy machine, half of the grace could pass before the first question.
    await grace.weather({ registry: "up" });
    before = Date.now();
    await confirmed(grace, domain);
    await grace.weather({ registry: "fails" });
    down = Date.now();
  } while (down - before > 250 * GRACE);
  let last = 0;
  for (;;) {
    const { at, said, by } = await timed(() => grace.check(`alice@${domain}`));
    expect(["accept", "defer"]).toContain(said.action);
    if (said.action === "defer") {
      expect(by).toBeGreaterThan(before + 1000 * GRACE - WINDOW_MS - SLACK);
      break;
    }
    last = at;
    await pause(50);
  }
  expect(last).toBeLessThan(down + 1000 * GRACE + SLACK);
  expect(last).toBeGreaterThan(down);
});

it.concurrent("A front end accepts for accept-grace while the edge is away, and refuses for max_age only", async () => {
  const domain = "bridged.example";
  const { bridged } = edges.edge;
  await publisher.publish(domain, "alice");
  await edges.copied();
  await confirmed(bridged, domain);
  const road = await startRoad(bridged);
  const bridge = await startBridge(road.url, ["--accept-grace", String(BRIDGE_GRACE)]);
  const act = (local: string) => bridge.act("line", `${local}@${domain}`);
  let before = 0;
  await until(async () => {
    before = Date.now();
    const isRight = (await act("alice")) === "accept" && (await act("nobody")) === "refuse";
    return isRight && road.wasConfirmed(`alice@${domain}`);
  });
  road.close();
  const away = Date.now();
  for (;;) {
    const refused = await timed(() => act("nobody"));
    if (refused.said === "refuse") expect(refused.at).toBeLessThan(away + WINDOW_MS + SLACK);
    const accepted = await timed(() => act("alice"));
    expect(accepted.said).not.toBe("refuse");
    if (accepted.said === "defer") {
      // It was confirmed at most one window before the last question. Ages in answers are whole seconds, rounded up.
      expect(accepted.by).toBeGreaterThan(before + 1000 * BRIDGE_GRACE - 2 * WINDOW_MS - 1_000);
      break;
    }
    expect(accepted.at).toBeLessThan(away + 1000 * BRIDGE_GRACE + SLACK);
    await pause(50);
  }
  expect(await act("nobody")).toBe("defer");
});

it.concurrent("A mail host that has heard of something newer accepts in an outage whom it accepted before, and nobody of whom the edge said otherwise", async () => {
  const domain = "went-on.example";
  const { bridged } = edges.edge;
  await publisher.publish(domain, "u1 u2 u3 leaver");
  await edges.copied();
  await confirmed(bridged, domain);
  const road = await startRoad(bridged);
  const bridge = await startBridge(road.url);
  const act = (local: string) => bridge.act("line", `${local}@${domain}`);
  // An accept that was never confirmed does not go on. On a busy machine, the isolate's window has passed by now.
  const isAccepted = async (local: string): Promise<boolean> =>
    (await act(local)) === "accept" && road.wasConfirmed(`${local}@${domain}`);
  const everybody = ["u1", "u2", "u3", "leaver"];
  await until(async () => (await Promise.all(everybody.map(isAccepted))).every((it) => it));
  expect(await publisher.run(`add newcomer@${domain} --yes`)).toMatchObject({ code: 0 });
  // One lookup sees the new number.
  await until(() => isAccepted("newcomer"));
  const removed = await publisher.run(`remove leaver@${domain} --now --yes`);
  expect(removed.stderr + removed.stdout).toContain("up to 24 hours");
  await until(async () => (await act("leaver")) === "refuse");
  await pause(WINDOW_MS + SLACK);
  road.close();
  for (const local of ["u1", "u2", "u3", "newcomer"])
    expect([local, await act(local)]).toEqual([local, "accept"]);
  for (const local of ["leaver", "nobody"]) expect([local, await act(local)]).toEqual([local, "defer"]);
});
