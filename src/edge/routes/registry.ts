import type { AnswerCount, Counted, FaultCount, RegistryStatus } from "../../api/index.ts";
import type { PartitionStatus, RegistryApi } from "../../registry/protocol.ts";
import { type Handler, type RouteCall, registriesOf, unwrap } from "./route.ts";

export const showRegistry: Handler<"showRegistry"> = (call) =>
  ofEach(call, async (registry) => unwrap(await registry.status()));

export const initialiseRegistry: Handler<"initialiseRegistry"> = (call) =>
  ofEach(call, async (registry) => unwrap(await registry.initialise(call.caller.id)));

export const showStatus: Handler<"showStatus"> = async (call) => {
  const sums = new Map<string, Counted>();
  for (const registry of registriesOf(call)) {
    for (const counted of unwrap(await registry.counted())) {
      const [domain, mode, word, hour, day] = counted;
      const key = `${domain} ${mode} ${word}`;
      const [, , , hours = 0, days = 0] = sums.get(key) ?? [];
      sums.set(key, [domain, mode, word, hour + hours, day + days]);
    }
  }
  const answers: AnswerCount[] = [];
  const faults: FaultCount[] = [];
  for (const key of [...sums.keys()].sort()) {
    const [name, mode, word, hour, day] = sums.get(key) as Counted;
    const domain = name || null;
    if (mode === "fault") faults.push({ domain, kind: word as FaultCount["kind"], hour, day });
    else {
      const verdict = word as AnswerCount["verdict"];
      answers.push({ domain, mode: (mode || null) as AnswerCount["mode"], verdict, hour, day });
    }
  }
  return { answers, faults };
};

export const showAudit: Handler<"showAudit"> = async (call) => {
  const lines = [];
  for (const registry of registriesOf(call)) lines.push(...unwrap(await registry.audit()));
  return { audit: lines.sort((a, b) => b.time - a.time) };
};

async function ofEach(
  call: RouteCall,
  ask: (registry: RegistryApi) => Promise<PartitionStatus>,
): Promise<RegistryStatus> {
  const partitions = [];
  for (const registry of registriesOf(call)) partitions.push(await ask(registry));
  // A read shows which cacheTtl KV accepts; its value does not matter here.
  const isReadable = await call.context.kv.get("roster/0", 30).then(
    () => true,
    () => false,
  );
  return { partitions, kv_readable: isReadable, kv_cache_ttl: call.context.bindings.kvCacheTtl() };
}
