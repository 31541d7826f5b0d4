/** Runs inside the namespaces that stage.ts makes: plays all cases with one mail server, and prints the outcomes. */
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Host, LOGIN, NAME } from "../../../integrations/host.ts";
import { HOSTS } from "../../../integrations/hosts.ts";
import { startEdgeFront } from "../../conformance/faults/edge-front.ts";
import { Cleanup } from "../support/cleanup.ts";
import { Bridge, folder } from "../support/command.ts";
import { startPolicyService } from "../support/policy-service.ts";
import { greets } from "../support/postfix.ts";
import { codesOf, SmtpSession } from "../support/smtp-client.ts";
import { PATIENCE_MS, pause, until } from "../support/waiting.ts";
import { ALIAS, AWAY, type Case, casesOf, WAITS } from "./cases.ts";
import { startWorld, type World } from "./world.ts";

/** Those of our pages. */
const PORTS = { socketmap: 10023, policy: 10024, line: 10025, tcp: 10028, hooks: 10029 } as const;
/** Of the greylister of our pages. */
const GREYLISTER = 10030;
const STRANGER = "198.51.100.77";
const MINE = `${LOGIN.user}@${NAME}`;
/** What postscreen tells a client that it does not know yet: once. */
const WAIT_OUTSIDE = "450 4.3.2";
/** With a dozen new clients at once, OpenSMTPD leaves some without a greeting for ever, with any configuration. */
const AT_ONCE = 4;

export interface Played {
  /** `before`, or the way; whether bridge and edge were away; the case; where its message arrived, or what was replied. */
  readonly outcomes: Readonly<Record<string, string>>;
  readonly logs: string;
}

/** @returns what was replied if the message was not accepted */
async function send(
  { source, to, isBounce = false }: Case,
  subject: string,
  submission: ReturnType<Host["submission"]>,
): Promise<string | null> {
  const text = `From: someone@elsewhere.example\nSubject: ${subject}\n\nHello.\n`;
  if (source === "command" || source === "cron") {
    const from = isBounce ? ["-f", "<>"] : [];
    const args = source === "cron" ? ["-i", "-FCronDaemon", "-B8BITMIME", "-oem", to] : ["-i", ...from, to];
    return sendmail(args, text);
  }
  const isOutside = source === "stranger" || source === "authenticated";
  const from = isOutside ? STRANGER : source === "loopback6" ? "::1" : "127.0.0.1";
  const target = isOutside ? "198.51.100.1" : from;
  const where = source === "authenticated" ? { ...submission, auth: LOGIN } : { port: 25 };
  const sender = isOutside && source !== "authenticated" ? "someone@elsewhere.example" : MINE;
  const tryOnce = async (): Promise<string | null> => {
    const session = await SmtpSession.open({ ...where, host: target, from, sender });
    try {
      const rcpt = await session.rcpt(`<${to}>`);
      const reply = rcpt.code < 300 ? await session.data(text.replaceAll("\n", "\r\n")) : rcpt;
      await session.quit();
      return reply.code < 300 ? null : codesOf(reply);
    } finally {
      session.destroy();
    }
  };
  const seen = await tryOnce();
  if (seen !== WAIT_OUTSIDE) return seen;
  // postscreen remembers the client soon after its session.
  await pause(500);
  return tryOnce();
}

/** Not spawnSync: this process is the host's DNS, too. */
function sendmail(args: readonly string[], text: string): Promise<string | null> {
  const child = spawn("/usr/sbin/sendmail", args, { stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (part) => {
    said += part;
  });
  child.stdin.on("error", () => undefined).end(text);
  return new Promise((resolve) =>
    child.once("close", (code) => resolve(code === 0 ? null : `sendmail ended with ${code}: ${said.trim()}`)),
  );
}

/** The messages of the user, of a mailbox or a Maildir. */
function mailbox(): string {
  const [spool, maildir] = ["/var/mail/ada", "/home/ada/Maildir"];
  const files = existsSync(maildir)
    ? readdirSync(maildir, { recursive: true, withFileTypes: true }).filter((each) => each.isFile())
    : [];
  const texts = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), "utf8"));
  return [existsSync(spool) ? readFileSync(spool, "utf8") : "", ...texts].join("\n");
}

function placesOf(subject: string, host: Host, { world, mailboxes }: World): string[] {
  const has = (texts: readonly { subject: string }[]): boolean =>
    texts.some((each) => each.subject === subject);
  return [
    ...(has(world) ? ["world"] : []),
    ...(has(mailboxes) ? ["mailboxes"] : []),
    ...(mailbox().includes(`Subject: ${subject}\n`) ? ["ada"] : []),
    ...(host.waiting?.().includes(subject) ? [WAITS] : []),
  ];
}

async function playCases(
  title: string,
  host: Host,
  submission: ReturnType<Host["submission"]>,
  world: World,
  cases: readonly Case[],
): Promise<[string, string][]> {
  const subjectOf = ({ name }: Case): string => `${title}: ${name}`;
  const replies: (string | null)[] = [];
  const sendNext = async (): Promise<void> => {
    for (let i = replies.length; i < cases.length; i = replies.length) {
      const each = cases[i] as Case;
      replies.push("no reply");
      replies[i] = await Promise.race([
        send(each, subjectOf(each), submission).catch((error: Error) => error.message),
        pause(PATIENCE_MS).then(() => "no reply"),
      ]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sendNext));
  const isAccepted = (_: Case, i: number): boolean => replies[i] === null;
  await until("all arrive", () =>
    cases.filter(isAccepted).every((each) => placesOf(subjectOf(each), host, world).length > 0),
  ).catch(() => undefined);
  return cases.map((each, i) => {
    const places = placesOf(subjectOf(each), host, world);
    return [subjectOf(each), [...(replies[i] === null ? [] : [replies[i]]), ...places].join(", ") || "lost"];
  });
}

async function play(host: Host, ways: readonly string[]): Promise<Played> {
  const cleanup = new Cleanup();
  const outcomes: Record<string, string> = {};
  let logs = "";
  try {
    const world = await startWorld(cleanup);
    const front = await startEdgeFront(cleanup);
    const bridge = new Bridge(folder(cleanup), PORTS, front);
    cleanup.add(() => bridge.stop());
    // As a greylister answers a client that came back.
    await startPolicyService("DUNNO", cleanup, GREYLISTER);
    host.install();
    appendFileSync("/etc/aliases", ALIAS);
    host.newAliases?.();
    const kept = join(folder(cleanup), "kept");
    mkdirSync(kept);
    for (const path of host.configuration)
      cpSync(path, join(kept, path), { recursive: true, verbatimSymlinks: true });
    for (const way of [null, ...ways]) {
      for (const path of host.configuration) {
        rmSync(path, { recursive: true });
        execFileSync("cp", ["-a", join(kept, path), path]);
      }
      if (way !== null) host.paste(way, front);
      const title = way ?? "before";
      const cases = casesOf(host, way === null);
      const submission = host.submission(title);
      await front.close();
      await front.listen();
      await bridge.start();
      const stop = host.start();
      try {
        await until("the server greets", () => greets(25));
        Object.assign(outcomes, Object.fromEntries(await playCases(title, host, submission, world, cases)));
        if (way === null) continue;
        await bridge.stop();
        await front.close();
        Object.assign(
          outcomes,
          Object.fromEntries(await playCases(`${title}, ${AWAY}`, host, submission, world, cases)),
        );
      } catch (error) {
        outcomes[title] = (error as Error).message;
      } finally {
        await stop();
        await bridge.stop();
        logs += `\n${title}:\n${host.logs()}`;
      }
    }
    const bounces = world.world.filter(
      ({ from, to }) => from === "" && to.includes("someone@elsewhere.example"),
    );
    if (bounces.length > 0) outcomes.backscatter = bounces.map(({ subject }) => subject).join("; ");
    return { outcomes, logs };
  } finally {
    await cleanup.run();
  }
}

const [, , played, ...ways] = process.argv;
const host = HOSTS.find(({ name }) => name === played);
// Outside of the namespaces this would change the machine's own files.
if (host === undefined || process.env.ROLLCALL_STAGE !== readFileSync("/run/rollcall-stage", "utf8")) {
  throw new Error("not on the stage");
}
process.stdout.write(JSON.stringify(await play(host, ways)), () => process.exit());
