/**
 * The Email Worker of this folder beside a Rollcall Worker, both in wrangler's local email test and with the
 * configuration files as they are. A service binding reaches Workers of one account only, so the Rollcall Worker is the
 * entry's own.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { createTestHarness, type Unstable_RawConfig } from "wrangler";
import type { Entry, RunningEntry } from "../rig.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** What the local email test says of one message. */
interface Outcome {
  readonly outcome: string;
  readonly rejectReason?: string;
  readonly forwards: readonly { readonly recipient: string }[];
}

/** What a sender sees. The platform's own codes are not known here: `5xx` is permanent, and `4xx` temporary. */
export function replyOf({ outcome, rejectReason, forwards }: Outcome): string {
  if (outcome !== "ok") return "4xx temporary error";
  if (rejectReason !== undefined) return `5xx ${rejectReason}`;
  if (forwards.length === 0) throw new Error("the Email Worker did nothing with the message");
  return "250 2.0.0 forwarded";
}

export const emailWorkers: Entry = {
  name: "email-workers",
  title: "Email Workers (local)",
  missing: null,
  codes: ({ action }) => ({ accept: "250 2.0.0", reject: "5xx", defer: "4xx" })[action] ?? "4xx",
  differences: [],
  start: () => startEmailWorkers(),
};

/** Both Workers, running. */
export interface EmailWorkers extends RunningEntry {
  readonly administrator: NonNullable<RunningEntry["administrator"]>;
  /** What happened to a message to this recipient. */
  deliver(recipient: string): Promise<Outcome>;
}

/**
 * @param rollcall a Worker in place of the real one, with an entrypoint `RecipientCheck`; its settings have a module
 * (`main`). Null: there is none, and no binding, without which workerd starts no Worker
 * @param secrets of the real one, in place of new ones
 */
export async function startEmailWorkers({
  rollcall,
  secrets,
}: {
  readonly rollcall?: Unstable_RawConfig | null;
  readonly secrets?: Readonly<Record<string, string>>;
} = {}): Promise<EmailWorkers> {
  // Wrangler would ask Cloudflare what `request.cf` looks like.
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  process.env.WRANGLER_SEND_METRICS = "false";
  process.env.WRANGLER_LOG = "none";
  const adminToken = randomBytes(32).toString("base64url");
  const settings = {
    ROLLCALL_MASTER_KEY: randomBytes(32).toString("base64url"),
    ROLLCALL_ADMIN_TOKEN: adminToken,
    ...secrets,
  };
  const real = { configPath: "wrangler.toml", prebuiltWorkerDir: "dist/edge", secrets: settings };
  const replaced = (config: Unstable_RawConfig) => ({
    config: {
      name: "rollcall",
      compatibility_date: "2026-11-01",
      ...config,
      vars: { ...config.vars, ...settings },
    },
  });
  const mailer = { configPath: "integrations/email-workers/wrangler.toml" };
  const unbound = (): { config: Unstable_RawConfig } => {
    const { services: _, ...config } = parse(readFileSync(join(ROOT, mailer.configPath), "utf8"));
    return { config: { ...config, main: join(import.meta.dirname, "src", "worker.ts") } };
  };
  const harness = createTestHarness({
    root: ROOT,
    // The first one is asked over HTTP.
    workers: rollcall === null ? [unbound()] : [rollcall === undefined ? real : replaced(rollcall), mailer],
  });
  const { url } = await harness.listen();
  const mail = harness.getWorker("rollcall-email");
  const deliver = (recipient: string): Promise<Outcome> =>
    mail.email({ from: "sender@example.net", to: recipient, raw: messageTo(recipient) });
  return {
    administrator: { ROLLCALL_URL: url.origin, ROLLCALL_TOKEN: adminToken },
    deliver,
    rcpt: async (recipient) => replyOf(await deliver(recipient)),
    stop: () => harness.close(),
  };
}

let messages = 0;

const messageTo = (recipient: string): string =>
  [
    "From: sender@example.net",
    `To: ${recipient}`,
    `Message-ID: <${++messages}@example.net>`,
    "Subject: Is dinner ready?",
    "",
    "Are you hungry yet?",
    "",
  ].join("\r\n");
