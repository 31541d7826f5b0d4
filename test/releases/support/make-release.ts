/** A release as later ones meet it: its bundle, and a state of KV and the Registry that its own command and Worker made. */
import { join } from "node:path";
import { build } from "esbuild";
import { names, ReleaseCommand } from "./command.ts";
import { ReleaseHost } from "./host.ts";
import type { StoredRelease } from "./stored-release.ts";

const DAY = 86_400_000;
/** Enough names for two shards. */
const LARGE = 12_000;
/** The Registry writes its counters a minute after they arrive. */
const COUNTERS_WRITTEN = 62_000;
const VARS = {
  // For this fixture alone; no deployment has them.
  ROLLCALL_MASTER_KEY: "c3RvcmVkLXJlbGVhc2UtbWFzdGVyLWtleS0zMi1ieXQ",
  ROLLCALL_ADMIN_TOKEN: "admin-token-of-a-stored-release",
  ROLLCALL_WINDOW: "2",
};

/**
 * The bundle of a built tree, and a state that its Worker and its command make. It takes more than a minute.
 * @param folder for lists and storage, empty
 */
export async function makeRelease(tree: string, folder: string): Promise<Omit<StoredRelease, "name">> {
  const command = new ReleaseCommand(tree, folder);
  const code = await bundle(tree);
  const storage = join(folder, "storage");
  const time = Date.now();
  const start = (at: number): Promise<ReleaseHost> =>
    ReleaseHost.start({ registry: code, edge: code, vars: VARS, storage, time: at });

  // Two days before: the first generations, so that some history is older than the guard's day.
  let host = await start(time - 2 * DAY);
  await publishFirst(command, host);
  await host.copied();
  await host.stop();

  // Nearly a day before: a shard that is replaced here must leave KV at the end, and cannot.
  host = await start(time - DAY + 30_000);
  await command.publish(host, "large.example", [...names("u", LARGE), "new"]);
  await host.copied();
  await host.stop();

  host = await start(time);
  const tokens = await issueTokens(host);
  await publishChanges(command, host);
  await host.copied();
  // From here on KV takes no writes: keys wait, and some have failed.
  await host.kvFails(true);
  await command.publish(host, "waiting.example", names("w", 40));
  await command.publish(host, "inline.example", [...INLINE, "new"]);
  const answers = await answersOf(host);
  await new Promise((done) => setTimeout(done, COUNTERS_WRITTEN));
  const tables = await host.tables();
  const kv = await host.kv();
  await host.stop();
  return { code, time: Date.now(), vars: VARS, tokens, answers, tables, kv };
}

/** The Worker as one minified module. */
async function bundle(tree: string): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: tree,
    entryPoints: ["src/edge/worker.ts"],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*"],
  });
  return (outputFiles[0] as { text: string }).text;
}

const INLINE = ["postmaster", "alice", "bob", "left,disabled", "crowded,full", "away,moved"];

async function publishFirst(command: ReleaseCommand, host: ReleaseHost): Promise<void> {
  await command.publish(host, "inline.example", INLINE.slice(0, 5));
  await command.publish(host, "large.example", names("u", LARGE));
  await command.publish(host, "observe.example", names("o", 10), "--observe");
  await command.publish(host, "gone.example", names("g", 10));
  await command.publish(host, "departing.example", names("d", 100), "--grace", "86400");
  await command.publish(host, "back.example", names("b", 50));
  await command.publish(host, "forced.example", names("f", 50));
  await command.publish(host, "guard.example", names("n", 100));
  await command.publishAlias(host, "alias.example", "inline.example");
}

async function publishChanges(command: ReleaseCommand, host: ReleaseHost): Promise<void> {
  await command.publish(host, "inline.example", INLINE);
  await command.publish(host, "large.example", [...names("u", LARGE - 1), "new"]);
  await command.run(host, "delete", "gone.example", "--yes");
  // A name that left is deferred for a day.
  await command.publish(host, "departing.example", names("d", 95));
  await command.publish(host, "back.example", names("b", 45));
  await command.run(host, "rollback", "back.example", "--yes");
  await command.publish(host, "forced.example", names("f", 10), "--force");
  // The guard's ledger: 15 of 100 names went today, 3 of them came back, and 2 were added.
  await command.publish(host, "guard.example", names("n", 85));
  await command.publish(host, "guard.example", [...names("n", 88), "x1", "x2"]);
}

interface IssuedToken {
  readonly id: string;
  readonly token: string;
}

async function issueTokens(host: ReleaseHost): Promise<Record<string, IssuedToken>> {
  const issue = async (request: object): Promise<IssuedToken> => {
    const { status, body } = await host.ask("/v1/tokens", request);
    if (status !== 200) throw new Error(`no token: ${JSON.stringify(body)}`);
    const { id, token } = body as IssuedToken;
    return { id, token };
  };
  const tokens = {
    all: await issue({ role: "check", domains: null }),
    named: await issue({
      role: "check",
      domains: ["inline.example", "unpublished.example"],
      expires_in: 365 * 86_400,
    }),
    publish: await issue({ role: "publish", domains: ["inline.example"], note: "the directory host" }),
    replica: await issue({ role: "replica", domains: ["inline.example"] }),
    revoked: await issue({ role: "check", domains: null }),
  };
  await host.ask(`/v1/tokens/${tokens.revoked.id}`, undefined, undefined, "DELETE");
  return tokens;
}

const ASKED = [
  "alice@inline.example",
  "ALICE+news@inline.example",
  "new@inline.example",
  "left@inline.example",
  "crowded@inline.example",
  "away@inline.example",
  "nobody@inline.example",
  "bob@alias.example",
  "nobody@alias.example",
  "u0@large.example",
  "u11999@large.example",
  "new@large.example",
  "nobody@large.example",
  "o1@observe.example",
  "nobody@observe.example",
  "g1@gone.example",
  "d1@departing.example",
  "d99@departing.example",
  "nobody@departing.example",
  "b49@back.example",
  "f1@forced.example",
  "f49@forced.example",
  "n1@guard.example",
  "n99@guard.example",
  "w1@waiting.example",
  "anyone@elsewhere.example",
];

async function answersOf(host: ReleaseHost): Promise<Record<string, { verdict: string; reply: unknown }>> {
  const { body } = await host.ask("/v1/rcpt", { recipients: ASKED });
  const { results } = body as { results: { recipient: string; verdict: string; reply: unknown }[] };
  return Object.fromEntries(results.map(({ recipient, verdict, reply }) => [recipient, { verdict, reply }]));
}
