/** Asks a mail server about many recipients as one client: few sessions, many RCPT TO. */
import { createConnection } from "node:net";
import { codesOf, SmtpSession } from "../mta/support/smtp-client.ts";
import type { Row } from "./corpus.ts";

/** Recipients of one transaction: less than any server allows. */
const RECIPIENTS = 40;

export const isAscii = (text: string): boolean => /^[\x20-\x7e]*$/.test(text);

/** Rows that one transaction can name: the same sender, and SMTPUTF8 for all or for none. */
function transactionsOf(rows: readonly Row[]): Row[][] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = `${row.from} ${isAscii(row.rcpt)}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / RECIPIENTS) }, (_, i) =>
      group.slice(i * RECIPIENTS, (i + 1) * RECIPIENTS),
    ),
  );
}

/**
 * @param from on which address of loopback the client is
 * @returns what a client sees of each row, by its name: `550 5.1.1`
 */
export async function askThrough(
  port: number,
  rows: readonly Row[],
  from = "127.0.0.1",
): Promise<Record<string, string>> {
  const seen: Record<string, string> = {};
  for (const transaction of transactionsOf(rows)) {
    const [{ from: sender, rcpt }] = transaction as [Row];
    const session = await SmtpSession.open({ port, from });
    await session.mail(sender, isAscii(rcpt) ? "" : " SMTPUTF8");
    for (const row of transaction) seen[row.name] = codesOf(await session.rcpt(`<${row.rcpt}>`));
    await session.quit();
  }
  return seen;
}

/** Asks the bridge itself. @returns the codes of its reply line */
export function askLine(port: number, recipient: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = createConnection({ port, host: "127.0.0.1" });
    socket.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    socket.once("error", reject).once("close", () => resolve(/^\d{3} \d\.\d+\.\d+/.exec(text)?.[0] ?? text));
    socket.write(`${recipient}\n`);
  });
}
