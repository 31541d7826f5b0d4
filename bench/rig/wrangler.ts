/** wrangler: the size of what is deployed, and the peer of publishing. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DOMAIN, KNOWN } from "./lists.ts";
import { type Run, root, run, temporaryFolder } from "./processes.ts";

const wrangler = (cwd: string, ...args: string[]): Promise<Run> =>
  run(process.execPath, [join(root, "node_modules/wrangler/bin/wrangler.js"), ...args], {
    cwd,
    env: { WRANGLER_SEND_METRICS: "false" },
  });

/** The Worker as `wrangler deploy` uploads it. */
export async function deployedBundle(): Promise<Buffer> {
  using folder = temporaryFolder();
  await wrangler(root, "deploy", "--dry-run", "--outdir", folder.path);
  return readFileSync(join(folder.path, "worker.js"));
}

const CONFIGURATION = `name = "peer"
compatibility_date = "2026-11-01"
[[kv_namespaces]]
binding = "KV"
id = "peer"
`;

/**
 * Puts so many keys, one for each mailbox, into an empty namespace: `wrangler kv bulk put --local`.
 * @returns the time of the keys alone, and the peak of the whole
 */
export async function bulkPut(keys: number): Promise<Omit<Run, "output">> {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "wrangler.toml"), CONFIGURATION);
  const put = (count: number): Promise<Run> => {
    const pairs = Array.from({ length: count }, (_, i) => ({
      key: `mailbox/${KNOWN}${i}@${DOMAIN}`,
      value: "1",
    }));
    writeFileSync(join(folder.path, "pairs.json"), JSON.stringify(pairs));
    const where = ["--binding", "KV", "--local", "--persist-to", `${count}`];
    return wrangler(folder.path, "kv", "bulk", "put", "pairs.json", ...where);
  };
  // A single key shows what wrangler takes to start.
  const one = await put(1);
  const all = await put(keys);
  return { seconds: all.seconds - one.seconds, peakBytes: all.peakBytes };
}
