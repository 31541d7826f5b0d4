import type { Command } from "commander";
import { runOpenSmtpdTable } from "../../opensmtpd/platform.ts";
import type { Cli } from "../context.ts";

const HELP = `
The address is that of the bridge's socketmap listener: 127.0.0.1:PORT, [::1]:PORT, or the path of a unix socket. In
smtpd.conf, where only a path may stand, an address has a slash before it: table recipients rollcall:/127.0.0.1:10023

smtpd exits when a table process exits, so this one ends only when smtpd closes its standard input, and ignores SIGTERM.
If the bridge does not answer, smtpd is told so within 3.5 s, and defers the recipient. docs/mta/opensmtpd.md has more.`;

/** `rollcall opensmtpd-table`: the process that OpenSMTPD starts for a table. */
export function opensmtpdTableCommand(cli: Cli): Command {
  return cli
    .command("opensmtpd-table", "answer OpenSMTPD's table lookups, started by smtpd")
    .argument("<address>", "where the bridge listens for socketmap")
    .addHelpText("after", HELP)
    .action((address: string) => runOpenSmtpdTable(address));
}
