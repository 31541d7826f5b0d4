/** Servers outside of the host, in their own namespace. Prints each message that arrives. */
import { Cleanup } from "../support/cleanup.ts";
import { startSink } from "../support/sink.ts";
import { MAILBOXES, WORLD } from "./addresses.ts";

const cleanup = new Cleanup();
for (const [place, host] of [
  ["world", WORLD],
  ["mailboxes", MAILBOXES],
] as const) {
  const { messages } = await startSink(cleanup, () => true, { host, port: 25 });
  messages.push = (...more): number => {
    for (const message of more) process.stdout.write(`${JSON.stringify([place, message])}\n`);
    return 0;
  };
}
process.stdout.write("ready\n");
