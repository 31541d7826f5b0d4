/** `npm run scenario`: plays the three acts and prints the counts. */
import { WITHOUT_POSTFIX } from "../../test/mta/support/postfix.ts";
import { LETTERS, play, STRAYS } from "./scenario.ts";

if (WITHOUT_POSTFIX !== null) {
  console.error(`${WITHOUT_POSTFIX}; on Debian: apt-get install postfix, and run this as root`);
  process.exit(1);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

console.log(
  `${STRAYS} messages with forged senders to unknown recipients, ${LETTERS} letters to existing ones`,
);
const acts = await play(console.log);
const head = ["", "rejected at RCPT TO", "accepted", "bounces to forged senders", "letters arrived"];
const rows = acts.map((act) => [
  act.title,
  `${act.refused}${act.codes.length > 0 ? ` (${act.codes.join(", ")})` : ""}`,
  String(act.accepted),
  String(act.bounces),
  `${act.arrived} of ${LETTERS}`,
]);
const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
console.log();
for (const row of [head, ...rows]) console.log(row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  "));
const [, , third] = acts;
if (third !== undefined) {
  console.log(`
While the edge was away, ${third.deferred} messages to unknown recipients were deferred and ${third.waited} letters waited
in their sender's queue. Letters lost: ${LETTERS - third.arrived}; returned: ${third.returned}; delivered twice: ${third.twice}.`);
}
