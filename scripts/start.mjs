// @ts-check
// `npm start`: all of Rollcall on this machine, with a sample list and an SMTP server to try it with.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const command = join(root, "bin", "rollcall.js");
const LISTS = { "example.org": "example.org.csv", "bücher.example": "buecher.example.txt" };

const options = readOptions();
const state = resolve(root, options.state);
await import("./build.mjs");
mkdirSync(state, { recursive: true });

const edge = spawn(
  process.execPath,
  [command, "dev", "--json", "--port", options.port, "--front-end", options["smtp-port"], "--state", state],
  // In its own folder, so that it does not read the .dev.vars of another deployment. It exits when the channel closes.
  { cwd: state, stdio: ["ignore", "pipe", "inherit", "ipc"] },
);
const ended = new Promise((done) => edge.once("exit", (code) => done(code ?? 1)));
let stopping = false;
const stop = () => {
  stopping = true;
  edge.kill("SIGTERM");
};
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);
// npm sends a signal to the shell that runs this script, and the shell exits without passing it on.
const shell = process.ppid;
setInterval(() => {
  if (process.ppid !== shell) stop();
}, 500).unref();

const started = await Promise.race([
  readJson(/** @type {import("node:stream").Readable} */ (edge.stdout)),
  ended,
]);
if (typeof started === "number" || started.error) {
  const code = await ended;
  if (!stopping && code === 2)
    console.error("to use other ports: `npm start -- --port 8801 --smtp-port 2601`");
  process.exit(stopping ? 0 : code);
}
const adminToken = readFileSync(join(state, "admin-token"), "utf8").trim();
const published = await publishSample();
if (published === 0) explain();
else edge.kill("SIGTERM");
const code = await ended;
if (published === 0) console.log("\nstopped; the lists are kept for the next `npm start`");
process.exit(stopping ? 0 : published || code);

function readOptions() {
  try {
    return parseArgs({
      options: {
        port: { type: "string", default: "8787" },
        "smtp-port": { type: "string", default: "2525" },
        state: { type: "string", default: ".rollcall/demo" },
      },
    }).values;
  } catch (error) {
    console.error(
      `error: ${error instanceof Error ? error.message : error}\nwhat to do: npm start -- [--port P] [--smtp-port P] [--state FOLDER]`,
    );
    process.exit(2);
  }
}

/** @param {import("node:stream").Readable} stream */
async function readJson(stream) {
  let text = "";
  for await (const chunk of stream) {
    text += chunk;
    try {
      return JSON.parse(text);
    } catch {
      // Not complete yet.
    }
  }
  return ended;
}

async function publishSample() {
  for (const [domain, file] of Object.entries(LISTS)) {
    const list = join("examples", "sample", file);
    const code = await run(["publish", "--domain", domain, list, "--enforce", "--yes"]);
    if (code !== 0 && !stopping) return code;
  }
  return 0;
}

/** Runs a command, and prints its output if it fails. @param {string[]} args */
function run(args) {
  const env = {
    ...process.env,
    ROLLCALL_URL: started.url,
    ROLLCALL_TOKEN: adminToken,
    // The list store belongs to the demonstration, too.
    XDG_STATE_HOME: join(state, "published"),
  };
  const child = spawn(process.execPath, [command, ...args], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      said += data;
    });
  }
  return new Promise((done) => {
    child.once("close", (code) => {
      if (code !== 0 && !stopping) console.error(`rollcall ${args.join(" ")}\n${said}`);
      done(code ?? 1);
    });
  });
}

function explain() {
  const token = readFileSync(join(state, "check-token"), "utf8").trim();
  const smtp = started.front_end;
  /** @param {string} text */
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  console.log(`
Rollcall is ready.

  edge        ${started.url}
  SMTP        ${smtp}; asks the edge at each RCPT TO, and discards mail
  lists       examples/sample: ${Object.keys(LISTS).join(", ")}
  token       ${token}   (role check)
  admin token in ${join(options.state, "admin-token")}

Paste into another terminal:

1. Ask the edge over HTTP
curl -s ${started.url}/v1/rcpt -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '["alice@example.org", "nobody@example.org"]'

2. Talk SMTP: alice@ is accepted, nobody@ is refused
echo hello | curl -sv ${smtp} --mail-from me@example.net --mail-rcpt alice@example.org --mail-rcpt nobody@example.org --mail-rcpt-allowfails -T -

3. Let Rollcall explain an answer
(cd ${quoted(root)} && ROLLCALL_URL=${started.url} ROLLCALL_TOKEN=${token} npx rollcall check leaver+news@example.org)

Ctrl-C stops.`);
}
