/* `rollcall doctor --bridge` tells of a Registry that is older than what the host knows. */
import { expect, it } from "vitest";
import type { RollcallClient } from "../../src/client/index.ts";
import { examineMailHost, type StepResult } from "../../src/inspect/index.ts";
import type { MailHostPorts } from "../../src/inspect/mail-host/ports.ts";

const METRICS = { name: "metrics", address: { kind: "unix", path: "/metrics" }, shown: "metrics" } as const;

async function logStep(ports: Partial<MailHostPorts>): Promise<StepResult | undefined> {
  const client = {
    health: async () => ({ version: "1", status: "ok", faults: [] }),
    domainPage: async () => ({ domains: [], next: null }),
  } as unknown as RollcallClient;
  const steps: StepResult[] = [];
  const all = examineMailHost({
    client,
    clock: { now: () => 0 },
    listeners: [],
    token: { expires: null, file: null },
    replica: null,
    olderLog: async () => null,
    isRunning: () => true,
    edgeTime: async () => null,
    ask: async () => "HTTP/1.0 200 OK\r\n\r\nrollcall_bridge_edge_older_domains 0\n",
    run: async () => null,
    random: new Uint8Array(8),
    ...ports,
  });
  for await (const step of all) steps.push(step);
  return steps.find(({ step }) => step === "log");
}

it.each<[string, Partial<MailHostPorts>, RegExp]>([
  ["its replica", { replica: "/r" }, /as new as/],
  ["its metrics", { listeners: [METRICS] }, /as new as/],
  ["nothing", {}, /only the bridge's log can tell/],
])("says that the Registry is as new as the host, by %s", async (_, ports, detail) => {
  expect(await logStep(ports)).toMatchObject({ state: "ok", detail: expect.stringMatching(detail) });
});

it("says what to do if the replica knows a newer log", async () => {
  const olderLog = async () => ({ why: "it ends at 10, and 12 was seen before", fix: "run that" });
  expect(await logStep({ replica: "/r", olderLog })).toMatchObject({
    state: "failed",
    error: { message: expect.stringContaining("it ends at 10"), hint: "run that" },
  });
});

it("says what to do if the bridge finds the edge to be behind", async () => {
  const ask = async () => "HTTP/1.0 200 OK\r\n\r\nrollcall_bridge_edge_older_domains 3\n";
  expect(await logStep({ listeners: [METRICS], ask })).toMatchObject({
    state: "failed",
    error: {
      message: expect.stringContaining("3 of the domains"),
      hint: expect.stringContaining("registry restored"),
    },
  });
});
