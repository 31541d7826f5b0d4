/**
 * The fault matrix of the Email Worker, which asks Rollcall through a service binding: both Workers run in wrangler's local
 * email test. ROLLCALL_FULL=1 tries all of it; without, a sample.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Unstable_RawConfig } from "wrangler";
import { type EmailWorkers, startEmailWorkers } from "../../../integrations/email-workers/entry.ts";
import { Cleanup } from "../../mta/support/cleanup.ts";
import { folder, ROOT, rollcall } from "../../mta/support/command.ts";
import { inTime, until } from "../../mta/support/waiting.ts";
import { expectWritten, table } from "../../mta/support/written.ts";
import { FULL, ifFull } from "../../support/full.ts";
import { BINDING_FAULTS, type BindingFault, NOT_ON_A_BINDING } from "./binding-faults.ts";
import { FAULTS } from "./faults.ts";
import { KIND_TITLES } from "./observe.ts";
import type { Trouble } from "./workers/trouble.ts";

const TRIED = BINDING_FAULTS.filter(({ isSample }) => FULL || isSample);

const KNOWN = "known@example.com";
const UNKNOWN = "nobody@example.com";

/** Past the window of 30 s. */
const WINDOW_OVER = 31_000;
/** After a failure, the Worker waits for a second before it asks the Registry or KV again. */
const HOLD_OFF = 2_000;

/** The Email Worker waits 4.7 s for an answer. The rest is the local test's. */
const LIMIT_MS = 10_000;
const AT_ONCE_MS = 2_900;

/** The real Rollcall Worker with its configuration, whose platform can be broken. */
function breakable(): Unstable_RawConfig {
  const {
    build: _,
    assets: __,
    secrets: ___,
    ...config
  } = parse(readFileSync(join(ROOT, "wrangler.toml"), "utf8")) as Unstable_RawConfig;
  return { ...config, no_bundle: false, main: join(import.meta.dirname, "workers", "rollcall.ts") };
}

const cleanup = new Cleanup();
let workers: EmailWorkers;
let trouble: Trouble = { isolate: "first", ahead: 0 };

/** Changes what is wrong with the Rollcall Worker. */
async function change(to: Trouble): Promise<void> {
  trouble = to;
  const url = `${workers.administrator.ROLLCALL_URL}/trouble`;
  expect((await fetch(url, { method: "PUT", body: JSON.stringify(to) })).status).toBe(204);
}

const { isolate: _, ahead: __, ...NOTHING } = trouble;
/** Time passes for the Rollcall Worker. */
const pass = (ms: number): Promise<void> => change({ ...trouble, ahead: trouble.ahead + ms });
const begin = (fault: BindingFault["trouble"]): Promise<void> => change({ ...trouble, ...fault });
const end = (): Promise<void> => change({ ...NOTHING, isolate: trouble.isolate, ahead: trouble.ahead });

let isolates = 0;
/** The next ones are asked of an isolate with nothing in memory. */
const useNewIsolate = (): Promise<void> => change({ ...trouble, isolate: String(++isolates) });

beforeAll(async () => {
  workers = await startEmailWorkers({ rollcall: breakable() });
  cleanup.add(() => workers.stop());
  const home = folder(cleanup);
  writeFileSync(join(home, "list.csv"), `address,state\n${KNOWN},active\n`);
  await rollcall(
    ["publish", "--domain", "example.com", "list.csv", "--enforce", "--yes"],
    home,
    workers.administrator,
  );
  // What the Registry says is in KV, too.
  await begin({ registry: "throws" });
  await until("the list is in KV", async () => {
    await useNewIsolate();
    return (await send(KNOWN)).word === "forwarded";
  });
  await end();
});
afterAll(() => cleanup.run());

interface Sent {
  /** What became of the message. */
  readonly word: "forwarded" | "refused" | "deferred";
  readonly ms: number;
}

async function send(recipient: string, to: EmailWorkers = workers): Promise<Sent> {
  const start = performance.now();
  const { outcome, rejectReason, forwards } = await to.deliver(recipient);
  const ms = performance.now() - start;
  // An exception defers, whatever came before it: nothing may.
  const isException = outcome !== "ok";
  expect(Number(isException) + Number(rejectReason !== undefined) + forwards.length).toBe(1);
  return { word: isException ? "deferred" : rejectReason === undefined ? "forwarded" : "refused", ms };
}

const both = (to?: EmailWorkers): Promise<Sent[]> => Promise.all([KNOWN, UNKNOWN].map((it) => send(it, to)));
const words = (sent: readonly Sent[]): string[] => sent.map(({ word }) => word);
const TRUTH = ["forwarded", "refused"];

/** @returns what became of messages to the kinds of recipients of KIND_TITLES, null without such a case */
async function observe(fault: BindingFault): Promise<(Sent | null)[]> {
  if (fault.deployment !== undefined) {
    const broken = await startEmailWorkers(fault.deployment);
    const sent = await both(broken).finally(() => broken.stop());
    return [null, null, null, ...sent];
  }
  await useNewIsolate();
  expect(words(await both())).toEqual(TRUTH);
  const isDeployment = fault.trouble?.vars !== undefined;
  const asked: (Sent | null)[] = [null, null, null];
  const old = trouble.isolate;
  if (isDeployment) await useNewIsolate();
  await begin(fault.trouble);
  if (!isDeployment) {
    asked[1] = await send(UNKNOWN);
    await pass(fault.after ?? WINDOW_OVER);
    [asked[0], asked[2]] = (await both()) as [Sent, Sent];
    await useNewIsolate();
  }
  const fresh = await both();
  const started = trouble.isolate;
  await end();
  await pass(HOLD_OFF);
  // The first answers after it are right: in isolates that have met the fault, and in a new one.
  for (const isolate of isDeployment ? [old] : [old, started]) {
    await change({ ...trouble, isolate });
    expect(words(await both()), `${fault.name}, after it`).toEqual(TRUTH);
  }
  await useNewIsolate();
  expect(words(await both()), `${fault.name}, after it, in a new isolate`).toEqual(TRUTH);
  return [...asked, ...fresh];
}

describe(`an Email Worker under ${FULL ? "every fault" : "some faults"}`, () => {
  const rows: string[][] = [];

  it.each([...TRIED])("$name", async (fault) => {
    const { seen } = await inTime(fault.takesTime ? LIMIT_MS : AT_ONCE_MS, async () => {
      const seen = await observe(fault).finally(end);
      expect(seen.map((each) => each?.word ?? null)).toEqual(fault.sees);
      return { seen, ms: Math.max(...seen.map((each) => each?.ms ?? 0)) };
    });
    rows.push([
      fault.name,
      fault.standsFor?.join("; ") ?? "",
      ...seen.map((each) => each?.word ?? "–"),
      fault.takesTime ? "within 5 s" : "at once",
    ]);
  });

  it("says of each fault over HTTP what stands for it here, or why nothing does", () => {
    const stands = BINDING_FAULTS.flatMap(({ standsFor = [] }) => standsFor);
    const named = [...stands, ...Object.keys(NOT_ON_A_BINDING)].sort();
    expect(named).toEqual(FAULTS.map(({ name }) => name).sort());
    const reasons = new Set(Object.values(NOT_ON_A_BINDING));
    const missing = [...reasons].map((reason) => [
      Object.entries(NOT_ON_A_BINDING)
        .filter(([, why]) => why === reason)
        .map(([name]) => name)
        .join("; "),
      reason,
    ]);
    expectWritten("email-workers.md", "no-faults", table(["fault", "why it does not apply"], missing));
  });

  it.runIf(FULL)(ifFull("docs: the table of faults is what was seen"), ({ skip }) => {
    skip(rows.length < TRIED.length, "not every fault was tried");
    const head = ["fault", "stands for", ...KIND_TITLES, "after"];
    expectWritten("email-workers.md", "faults", table(head, rows));
  });
});
