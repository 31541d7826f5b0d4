#!/usr/bin/env node
// Plain JavaScript for every Node that npm may start it with. The command itself is built from src/cli.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const main = new URL("../dist/cli/main.js", import.meta.url);

if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `error: rollcall needs Node 20.19 or newer; this is ${process.version}\n` +
      "what to do: install a newer Node, and run the command again\n",
  );
  process.exitCode = 2;
} else if (existsSync(main)) {
  // The bridge runs for months next to a mail server. Without these flags, V8 accumulates hundreds of megabytes of garbage
  // while it answers many names that are not in its cache, and keeps half-empty pages afterwards.
  if (process.argv.includes("bridge")) {
    setFlagsFromString("--optimize-for-size");
    setFlagsFromString("--compact-on-every-full-gc");
    // The middle-tier compiler, on since Node 22: it costs ten megabytes and saves a second of warm-up.
    setFlagsFromString("--no-maglev");
  }
  await import(main.href).catch(explainMissing);
} else {
  process.stderr.write(
    "error: rollcall is not built: dist/cli/main.js is missing\n" +
      "what to do: run `npm ci`, or `npm run build` where the packages are installed\n",
  );
  process.exitCode = 2;
}

/**
 * A tarball that was unpacked by hand, or a clone whose node_modules is gone.
 * @param {Error & { code?: string }} error
 */
function explainMissing(error) {
  const lacking = /^Cannot find package '([^']+)'/.exec(error.message)?.[1];
  if (error.code !== "ERR_MODULE_NOT_FOUND" || lacking === undefined) throw error;
  const isClone = existsSync(new URL("../package-lock.json", import.meta.url));
  const install = isClone ? "npm ci" : "npm install --omit=dev --ignore-scripts";
  process.stderr.write(
    `error: packages that rollcall needs are not installed (such as ${lacking})\n` +
      `what to do: run \`${install}\` in ${fileURLToPath(new URL("..", import.meta.url))}, ` +
      "or let npm install the tarball: `npm install -g FILE.tgz`\n",
  );
  process.exitCode = 2;
}
