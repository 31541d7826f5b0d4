// @ts-check
// `npm run deploy`: deploys the Worker, and sets the secrets of .dev.vars that it does not have yet. A first deploy
// needs them. It never replaces a secret: a deploy from a host with another master key would make every published
// list unreadable.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, parseEnv } from "node:util";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const wrangler =
  process.env.ROLLCALL_WRANGLER ?? join(root, "node_modules", "wrangler", "bin", "wrangler.js");
const SECRETS = ["ROLLCALL_MASTER_KEY", "ROLLCALL_ADMIN_TOKEN"];

const args = process.argv.slice(2);
const { values } = parseArgs({
  args,
  strict: false,
  options: {
    env: { type: "string", short: "e" },
    name: { type: "string" },
    config: { type: "string", short: "c" },
  },
});

const missing = "secrets-file" in values || "dry-run" in values ? [] : missingSecrets();
if (missing.length === 0) process.exit(run(["deploy", ...args]));

const given = readVars();
const lacking = missing.filter((name) => !given[name]);
if (lacking.length > 0) {
  fail(
    `the Worker has no ${lacking.join(" and no ")} yet, and .dev.vars has none`,
    "`npx rollcall init` writes .dev.vars; keep a copy of its ROLLCALL_MASTER_KEY in a safe place",
  );
}
console.log(`setting secrets of the Worker from .dev.vars: ${missing.join(", ")}`);
const folder = mkdtempSync(join(tmpdir(), "rollcall-deploy-"));
let code = 1;
try {
  const file = join(folder, "secrets.json");
  writeFileSync(file, JSON.stringify(Object.fromEntries(missing.map((name) => [name, given[name]]))), {
    mode: 0o600,
  });
  code = run(["deploy", ...args, "--secrets-file", file]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(code);

/** @returns {string[]} */
function missingSecrets() {
  const which = ["env", "name", "config"].flatMap((option) =>
    typeof values[option] === "string" ? [`--${option}`, values[option]] : [],
  );
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    [wrangler, "secret", "list", "--format", "json", ...which],
    { cwd: root, encoding: "utf8", stdio: ["inherit", "pipe", "pipe"] },
  );
  if (status === 0) {
    // Notices may come before the list.
    const names = JSON.parse(stdout.slice(stdout.indexOf("["))).map(
      (/** @type {{ name: string }} */ it) => it.name,
    );
    return SECRETS.filter((name) => !names.includes(name));
  }
  if (/Worker "[^"]*".* not found/.test(stdout + stderr)) return SECRETS;
  process.stderr.write(stdout + stderr);
  return fail(
    `cannot list the Worker's secrets${error ? `: ${error.message}` : ""}`,
    "see wrangler's message above; `npx wrangler login` logs in",
  );
}

/** @returns {Record<string, string | undefined>} */
function readVars() {
  const file = join(root, ".dev.vars");
  return existsSync(file) ? parseEnv(readFileSync(file, "utf8")) : {};
}

/** @param {string[]} words */
function run(words) {
  return spawnSync(process.execPath, [wrangler, ...words], { cwd: root, stdio: "inherit" }).status ?? 1;
}

/** @param {string} what @param {string} hint @returns {never} */
function fail(what, hint) {
  console.error(`error: ${what}\nwhat to do: ${hint}`);
  process.exit(1);
}
