import { Problem } from "../problem.ts";
import type { MailHostPorts } from "./ports.ts";

/** Where Sendmail's configuration is. Debian's `sendmail` command is often another server's. */
const SENDMAIL_CF = "/etc/mail/sendmail.cf";

/** What `exim -bt` says of the postmaster. @returns null if Exim is not installed */
export async function examineExim(
  { run }: Pick<MailHostPorts, "run">,
  domain: string | null,
): Promise<string | null> {
  for (const command of ["exim4", "exim"]) {
    const version = await run(command, ["-bV"]);
    if (version === null || !version.stdout.startsWith("Exim version")) continue;
    const recipient = `postmaster@${domain ?? "localhost"}`;
    const result = await run(command, ["-bt", recipient]);
    const said = oneLine(result?.stdout || result?.stderr || "");
    if (result?.code === 0) return said;
    throw new Problem(
      `${command} -bt ${recipient}: ${said || `exit code ${result?.code}`}`,
      "check routers and transports: `exim -d -bt ADDRESS` shows each step. docs/mta/exim.md says how Exim asks the bridge",
    );
  }
  return null;
}

/** What `sendmail -bt` makes of the postmaster in its ruleset check_rcpt. @returns null if Sendmail is not installed */
export async function examineSendmail(
  { run }: Pick<MailHostPorts, "run">,
  domain: string | null,
): Promise<string | null> {
  const version = await run("sendmail", ["-bt", "-d0.1"], { input: "" });
  if (version === null || !/^Version 8\./m.test(version.stdout)) return null;
  const recipient = `postmaster@${domain ?? "localhost"}`;
  const result = await run("sendmail", ["-bt"], {
    // With FEATURE(`delay_checks'), as in Debian's configuration, check_rcpt checks the sender too.
    input: `.D{client_addr}192.0.2.1\n.D{mail_from}<>\ncheck_rcpt <${recipient}>\n`,
  });
  const [, returned = ""] =
    /^(?:check_rcpt|basic_check_rcpt)\s+returns: (.*)$/m.exec(result?.stdout ?? "") ?? [];
  if (result?.code === 0 && returned !== "" && !/\$# *error/.test(returned))
    return `check_rcpt: ${oneLine(returned)}`;
  throw new Problem(
    `sendmail -bt, check_rcpt <${recipient}>: ${oneLine(returned || result?.stderr || result?.stdout || "no result")}`,
    `check the maps of the bridge in ${SENDMAIL_CF}: docs/mta/sendmail.md`,
  );
}

const oneLine = (text: string): string => text.trim().replaceAll(/\s+/g, " ").slice(0, 300);
