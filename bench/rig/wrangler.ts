/** The peer of publishing: `wrangler kv bulk put --local`, one key a mailbox. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DOMAIN, KNOWN } from "./lists.ts";
import { type Run, run } from "./processes.ts";
import { root } from "./workerd.ts";

const CONFIGURATION = `name = "peer"
compatibility_date = "2026-11-01"
[[kv_namespaces]]
binding = "KV"
id = "peer"
`;

/** Puts so many keys into an empty namespace. @returns the time of the keys alone, and the peak of the whole */
export async function bulkPut(keys: number): Promise<Omit<Run, "output">> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-bench-wrangler-"));
  try {
    writeFileSync(join(folder, "wrangler.toml"), CONFIGURATION);
    // What wrangler takes to begin is told by putting a single key.
    const begin = await put(folder, 1);
    const all = await put(folder, keys);
    return { seconds: all.seconds - begin.seconds, peakBytes: all.peakBytes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function put(folder: string, keys: number): Promise<Run> {
  const pairs = Array.from({ length: keys }, (_, i) => ({
    key: `mailbox/${KNOWN}${i}@${DOMAIN}`,
    value: "1",
  }));
  writeFileSync(join(folder, "pairs.json"), JSON.stringify(pairs));
  const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
  const args = ["kv", "bulk", "put", "pairs.json", "--binding", "KV", "--local", "--persist-to", `${keys}`];
  return run(process.execPath, [wrangler, ...args], { cwd: folder, env: { WRANGLER_SEND_METRICS: "false" } });
}
