import type { RegistryStatus } from "../../api/contract.ts";
import type { Counted } from "../../api/log.ts";
import type { RegistryApi } from "../../registry/protocol.ts";
import { json } from "../http.ts";
import { type Route, type RouteCall, readNoBody, unwrap } from "./route.ts";

export const showRegistry: Route = {
  method: "GET",
  path: "/v1/registry",
  roles: [],
  bound: "none",
  summary: "Show how the Registries stand",
  answer: "RegistryStatus",
  errors: [],
  async handle(call) {
    return json(await ofEach(call, async (registry) => unwrap(await registry.status())));
  },
};

export const initialiseRegistry: Route = {
  method: "POST",
  path: "/v1/registry",
  roles: [],
  bound: "none",
  summary: "Make the Registries ready before the first commit; harmless afterwards",
  answer: "RegistryStatus",
  errors: ["bad_request", "conflict", "timeout", "too_large"],
  async handle(call) {
    await readNoBody(call);
    const by = call.caller.id;
    return json(await ofEach(call, async (registry) => unwrap(await registry.initialise(by))));
  },
};

export const showStatus: Route = {
  method: "GET",
  path: "/v1/status",
  roles: [],
  bound: "none",
  summary: "Show what was answered and what went wrong in the last hour and day",
  answer: "EdgeStatus",
  errors: [],
  async handle({ deployment, bindings }) {
    const sums = new Map<string, Counted>();
    for (let partition = 0; partition < deployment.settings.partitions; partition++) {
      for (const counted of unwrap(await bindings.registry(partition).counted())) {
        const [domain, mode, word, hour, day] = counted;
        const key = `${domain} ${mode} ${word}`;
        const [, , , hours = 0, days = 0] = sums.get(key) ?? [];
        sums.set(key, [domain, mode, word, hour + hours, day + days]);
      }
    }
    const all = [...sums.keys()].sort().map((key) => sums.get(key) as Counted);
    const [faults, answers] = [true, false].map((isFault) =>
      all.filter(([, mode]) => (mode === "fault") === isFault),
    ) as [Counted[], Counted[]];
    return json({
      answers: answers.map(([domain, mode, verdict, hour, day]) => ({
        domain: domain || null,
        mode: mode || null,
        verdict,
        hour,
        day,
      })),
      faults: faults.map(([domain, , kind, hour, day]) => ({ domain: domain || null, kind, hour, day })),
    });
  },
};

export const showAudit: Route = {
  method: "GET",
  path: "/v1/audit",
  roles: [],
  bound: "none",
  summary: "Show the newest lines of the audit trail",
  answer: "AuditList",
  errors: [],
  async handle({ deployment, bindings }) {
    const lines = [];
    for (let partition = 0; partition < deployment.settings.partitions; partition++) {
      lines.push(...unwrap(await bindings.registry(partition).audit()));
    }
    return json({ audit: lines.sort((a, b) => b.time - a.time) });
  },
};

async function ofEach(
  { deployment, bindings, context }: RouteCall,
  ask: (registry: RegistryApi) => Promise<RegistryStatus["partitions"][number]>,
): Promise<RegistryStatus> {
  const partitions = [];
  for (let partition = 0; partition < deployment.settings.partitions; partition++) {
    partitions.push(await ask(bindings.registry(partition)));
  }
  // A read shows which cacheTtl KV takes; its value does not matter here.
  const isReadable = await context.kv.get("roster/0", 30).then(
    () => true,
    () => false,
  );
  return { partitions, kv_readable: isReadable, kv_cache_ttl: bindings.kvCacheTtl() };
}
