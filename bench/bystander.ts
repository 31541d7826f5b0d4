/**
 * How long one client's unknown names wait while another client's token sends large plans without a pause. In workerd, where the
 * edge and the Registry share a thread. Run with: node bench/bystander.ts [names of the other list]
 */

import { cpuOf } from "./rig/processes.ts";
import { clientOf } from "./rig/publisher.ts";
import { World } from "./rig/world.ts";

const PLANS = 6;
const SECONDS = 20;
const BYSTANDER = "bystander.example";
const HEAVY = "heavy.example";

const names = Number(process.argv[2] ?? 20_000);
await using world = await World.make({ ROLLCALL_KV_WRITES: "1000000000" });
await using edge = await world.serve();
await world.publish(edge, world.list(1_000, BYSTANDER), BYSTANDER);
await world.publish(edge, world.list(names, HEAVY), HEAVY);

const admin = clientOf(world, edge);
const { token } = await admin.createToken({ role: "publish", domains: [HEAVY], note: null });
const { token: check } = await admin.createToken({ role: "check", domains: [BYSTANDER], note: null });
const head = await admin.domain(HEAVY);

/** So many ascending tails of 6 bytes, the lower half of them with `step`. */
function tails(count: number): string {
  const bytes = Buffer.alloc(6 * count);
  const step = Math.floor(2 ** 48 / count);
  for (let i = 0; i < count; i++) bytes.writeUIntBE(i * step, 6 * i, 6);
  return bytes.toString("base64url");
}
const body = JSON.stringify({
  domains: [
    {
      domain: HEAVY,
      expect: head?.generation,
      key_id: head?.key_id,
      canonicaliser: 1,
      policy: {},
      accepted: 2_000_000,
      names: { accepted: tails(2_000_000) },
    },
  ],
});

let isOver = false;
const answers: Record<string, number> = {};
async function heavy(): Promise<void> {
  while (!isOver) {
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const sent = fetch(`${edge.origin}/v1/plans`, { method: "POST", headers, body });
    // One that is refused before its body was read may break while it is being sent.
    const status = await sent.then(
      async (response) => {
        await response.text();
        return response.status;
      },
      () => "broken off",
    );
    answers[status] = (answers[status] ?? 0) + 1;
    if (status !== 200) await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const waits: number[] = [];
/** The same in milliseconds of CPU of workerd, which other processes of the machine do not prolong. */
const cpu: number[] = [];
const verdicts: Record<string, number> = {};
async function ask(): Promise<void> {
  const [from, fromCpu] = [performance.now(), cpuOf(edge.pid)];
  const recipient = `n${Math.random()}@${BYSTANDER}`;
  const headers = { Authorization: `Bearer ${check}`, "Content-Type": "application/json" };
  const body = JSON.stringify({ recipient });
  const response = await fetch(`${edge.origin}/v1/rcpt`, { method: "POST", headers, body });
  const { verdict } = (await response.json()) as { verdict: string };
  verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
  waits.push(performance.now() - from);
  cpu.push(cpuOf(edge.pid) - fromCpu);
}

async function watch(what: string, seconds: number): Promise<void> {
  [waits.length, cpu.length] = [0, 0];
  const end = performance.now() + 1_000 * seconds;
  const asked: Promise<void>[] = [];
  while (performance.now() < end) {
    asked.push(ask());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await Promise.all(asked);
  console.log(`${what}: ${waits.length} questions; ${spread(waits)}; CPU ${spread(cpu)}`, verdicts);
}

function spread(values: number[]): string {
  values.sort((a, b) => a - b);
  const at = (share: number): string => (values[Math.floor(share * (values.length - 1))] ?? 0).toFixed(0);
  return `median ${at(0.5)} ms, 99 % ${at(0.99)} ms, worst ${at(1)} ms`;
}

await watch("alone", 5);
const sending = Array.from({ length: PLANS }, heavy);
await watch(`beside ${PLANS} plans of ${(body.length / 1e6).toFixed(0)} MB`, SECONDS);
isOver = true;
await Promise.all(sending);
console.log("plans", answers);
