#!/usr/bin/env node
// Plain JavaScript for every Node that npm may start it with. The command itself is built from src/cli into one file.
import { existsSync } from "node:fs";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
// OpenSMTPD keeps this process for each of its tables, so it loads a small file of its own.
const [, , command, argument = "-"] = process.argv;
const file = command === "opensmtpd-table" && !argument.startsWith("-") ? "opensmtpd-table" : "rollcall";
const main = new URL(`../dist/cli/${file}.mjs`, import.meta.url);

if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `error: rollcall needs Node 20.19 or newer; this is ${process.version}\n` +
      "what to do: install a newer Node, and run the command again\n",
  );
  process.exitCode = 2;
} else if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write(
    `error: rollcall is not built: dist/cli/${file}.mjs is missing\n` +
      "what to do: run `npm ci`, or `npm run build` where the packages are installed\n",
  );
  process.exitCode = 2;
}
