/**
 * The check's throughput beside a bare Worker, interleaved in one run, on raw workerd.
 *
 *   npm run bench -- [--mailboxes N] [--rounds N] [--seconds N] [--json FILE]
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Served, serveEdge, servePeer } from "./rig/workerd.ts";
import { drive, type Load } from "./rig/wrk.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const DOMAIN = "bench.example";
/** Requests that a load goes through before it begins again. */
const VARIETY = 20_000;

const { values } = parseArgs({
  options: {
    mailboxes: { type: "string", default: "1000000" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    json: { type: "string" },
  },
});
const mailboxes = Number(values.mailboxes);
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

/** Names that are in no cache line twice, the same in every run. */
function spread(count: number, of: number): number[] {
  return Array.from({ length: count }, (_, i) => (i * 2_654_435_761) % of);
}

const known = spread(VARIETY, mailboxes).map((i) => `user${i}@${DOMAIN}`);
const unknown = spread(VARIETY, 1e12).map((i) => `nobody${i}@${DOMAIN}`);
const hot = known.slice(0, 100);

const body = (recipient: string): string => JSON.stringify({ recipient });
const path = (recipient: string): string => `/v1/rcpt/${encodeURIComponent(recipient)}`;

function loads(token: string): Record<string, Load> {
  const accept = { token, expects: '"action":"accept"' };
  const reject = { token, expects: '"verdict":"unknown"' };
  return {
    "POST, hot names": { ...accept, bodies: hot.map(body) },
    "POST, random known names": { ...accept, bodies: known.map(body) },
    "POST, random unknown names": { ...reject, bodies: unknown.map(body) },
    "GET, hot names": { ...accept, paths: hot.map(path) },
    "GET, random unknown names": { ...reject, paths: unknown.map(path) },
  };
}

/** Publishes the list with the command, as anybody would, and makes a token for checks. */
function prepare(edge: Served, admin: string): string {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-bench-list-"));
  const rollcall = (...args: string[]): string =>
    execFileSync(process.execPath, [join(root, "bin/rollcall.js"), ...args], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, ROLLCALL_URL: edge.origin, ROLLCALL_TOKEN: admin, XDG_STATE_HOME: folder },
    });
  try {
    const list = join(folder, "list.txt");
    writeFileSync(list, Array.from({ length: mailboxes }, (_, i) => `user${i}@${DOMAIN}\n`).join(""));
    rollcall("publish", "--domain", DOMAIN, list, "--yes");
    return rollcall("token", "create", "--role", "check").trim();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] as number;

const admin = randomBytes(24).toString("base64url");
const edge = await serveEdge({
  ROLLCALL_MASTER_KEY: randomBytes(32).toString("base64url"),
  ROLLCALL_ADMIN_TOKEN: admin,
});
const bare = await servePeer("bare.js");
try {
  const token = prepare(edge, admin);
  const results = [];
  for (const [name, load] of Object.entries(loads(token))) {
    // The bare Worker answers everything alike, so its answers are all "accept".
    const bareLoad = { ...load, expects: '"action":"accept"' };
    await drive(edge.origin, load, 1);
    const ratios: number[] = [];
    const rates: number[] = [];
    const bareRates: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const before = await drive(bare.origin, bareLoad, seconds);
      const ours = await drive(edge.origin, load, seconds);
      const after = await drive(bare.origin, bareLoad, seconds);
      rates.push(ours);
      bareRates.push((before + after) / 2);
      ratios.push(ours / ((before + after) / 2));
    }
    const row = {
      load: name,
      ratio: median(ratios),
      lowest: Math.min(...ratios),
      highest: Math.max(...ratios),
      ours: median(rates),
      bare: median(bareRates),
    };
    results.push(row);
    const spreadText = `${row.lowest.toFixed(2)}-${row.highest.toFixed(2)}`;
    console.log(
      `${name.padEnd(28)} ${row.ratio.toFixed(2)} of bare (${spreadText})   ${Math.round(row.ours)} against ${Math.round(row.bare)} a second`,
    );
  }
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ mailboxes, rounds, seconds, results }, null, 2)}\n`);
  }
} finally {
  await Promise.all([edge.stop(), bare.stop()]);
}
