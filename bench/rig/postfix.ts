/** A Postfix of its own, and clients that send it one RCPT TO after the other, or many at once. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { Cleanup } from "../../test/mta/support/cleanup.ts";
import { startPostfix } from "../../test/mta/support/postfix.ts";
import { DOMAIN, isKnown, writeList } from "./lists.ts";
import { root, temporaryFolder } from "./processes.ts";

/** Recipients of one transaction: half of what Postfix takes by default. */
const RECIPIENTS = 500;

/**
 * Neither side is slowed down or disconnected for the unknown recipients that it refuses, nor for the messages that
 * never come: after a hundred transactions Postfix would wait a second before each, for its queue to drain.
 */
const LIMITS = `in_flow_delay = 0
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000000000
smtpd_hard_error_limit = 1000000000
smtpd_junk_command_limit = 1000000000
smtpd_sasl_auth_enable = no
`;

/** Files to paste, and what in them names the bridge. */
const TABLE = {
  page: "integrations/postfix/relay-recipient-maps.cf",
  names: "socketmap:inet:127.0.0.1:10023:recipients",
};
const POLICY = { page: "integrations/postfix/policy-service.cf", names: "inet:127.0.0.1:10024" };

/** A running Postfix. */
export interface ServedPostfix extends AsyncDisposable {
  readonly port: number;
}

/**
 * Postfix as our page sets it up, with another table of recipients.
 * @param table such as `lmdb:/path`
 * @param more lines of main.cf that come after those of the page
 */
export const servePostfix = (table: string, more = ""): Promise<ServedPostfix> => serve(TABLE, table, more);

/** Postfix as our page sets it up to ask a policy service. @param address such as `unix:/path` */
export const servePolicyPostfix = (address: string): Promise<ServedPostfix> => serve(POLICY, address, "");

async function serve({ page, names }: typeof TABLE, instead: string, more: string): Promise<ServedPostfix> {
  const text = readFileSync(join(root, page), "utf8");
  if (!text.includes(` ${names}\n`)) throw new Error(`${page} does not name ${names}`);
  const main = text.replaceAll("example.com", DOMAIN).replace(` ${names}\n`, ` ${instead}\n`) + more;
  const cleanup = new Cleanup();
  try {
    const { port } = await startPostfix({ name: "mx.bench.example", main, rig: LIMITS }, cleanup);
    return { port, [Symbol.asyncDispose]: () => cleanup.run() };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

/** Postfix without a table: it asks the server with the mailboxes by SMTP, and remembers what that said. */
export const serveVerifyingPostfix = (backendPort: number): Promise<ServedPostfix> =>
  servePostfix(
    "",
    `
relay_transport = smtp:[127.0.0.1]:${backendPort}
smtpd_recipient_restrictions = reject_unverified_recipient
unverified_recipient_reject_code = 550
address_verify_map = lmdb:$data_directory/verify_cache
`,
  );

/** A list of so many mailboxes as a table of Postfix's own. */
export function makeLmdb(mailboxes: number): Disposable & { readonly table: string } {
  const folder = temporaryFolder();
  const path = join(folder.path, "recipients");
  const configuration = join(folder.path, "etc");
  mkdirSync(configuration);
  writeFileSync(join(configuration, "main.cf"), "compatibility_level = 3.10\nmyhostname = bench.example\n");
  writeList(path, mailboxes, DOMAIN, " OK");
  execFileSync("postmap", ["-c", configuration, `lmdb:${path}`]);
  // For smtpd, which is another user.
  execFileSync("chmod", ["-R", "a+rX", folder.path]);
  return { table: `lmdb:${path}`, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

/** How a mail server replies to a mailbox, and to an unknown name. */
export interface Codes {
  readonly known: string;
  readonly unknown: string;
}

const POSTFIX: Codes = { known: "250 2.1.5 ", unknown: "550 5.1.1 " };

/** One SMTP session that names recipients and never sends a message. */
export class RecipientClient implements Disposable {
  readonly #codes: Codes;
  #isPipelined = false;
  readonly #socket: Socket;
  #got = "";
  #wake: () => void = () => undefined;

  private constructor(port: number, from: string, codes: Codes) {
    this.#codes = codes;
    this.#socket = createConnection({ port, host: "127.0.0.1", localAddress: from, noDelay: true });
    this.#socket.setEncoding("latin1").on("data", (text: string) => {
      this.#got += text;
      this.#wake();
    });
    this.#socket.on("error", () => undefined).on("close", () => this.#wake());
  }

  /** @param from on which address of loopback the client is */
  static async open(port: number, from = "127.0.0.1", codes = POSTFIX): Promise<RecipientClient> {
    const client = new RecipientClient(port, from, codes);
    await client.#replies(1);
    await client.#say("EHLO client.example\r\n", 1);
    return client;
  }

  /** Whether the server offers PIPELINING (RFC 2920). */
  get isPipelined(): boolean {
    return this.#isPipelined;
  }

  /**
   * Names recipients, going around `names`, and checks the reply to each.
   * @param atOnce how many are sent before their replies are waited for
   * @returns recipients a second
   */
  async name(names: readonly string[], count: number, atOnce: number): Promise<number> {
    const bursts = burstsOf(names, atOnce, this.#codes);
    const since = performance.now();
    let named = 0;
    for (let i = 0; named < count; i++) {
      if (named % RECIPIENTS === 0) {
        // One by one, for servers without PIPELINING.
        for (const command of ["RSET", "MAIL FROM:<sender@client.example>"])
          await this.#say(`${command}\r\n`, 1);
      }
      const { commands, codes } = bursts[i % bursts.length] as Burst;
      check(await this.#say(commands, codes.length), codes);
      named += codes.length;
    }
    return named / ((performance.now() - since) / 1000);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #say(commands: string, replies: number): Promise<string[]> {
    this.#socket.write(commands);
    return this.#replies(replies);
  }

  /** The last lines of so many replies. @throws if the server hangs up */
  async #replies(count: number): Promise<string[]> {
    const found: string[] = [];
    for (;;) {
      const end = this.#got.lastIndexOf("\n") + 1;
      if (end > 0) {
        const lines = this.#got.slice(0, end).split("\r\n");
        this.#got = this.#got.slice(end);
        for (const line of lines) {
          if (line[3] === " ") found.push(line);
          if (/^250[ -]PIPELINING$/.test(line)) this.#isPipelined = true;
        }
      }
      if (found.length >= count) return found;
      if (this.#socket.destroyed) throw new Error(`the server hung up; it said: ${found.at(-1)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

interface Burst {
  readonly commands: string;
  /** How the reply to each starts. */
  readonly codes: readonly string[];
}

function burstsOf(names: readonly string[], atOnce: number, codes: Codes): readonly Burst[] {
  return Array.from({ length: Math.ceil(names.length / atOnce) }, (_, i) => {
    const some = Array.from({ length: atOnce }, (_, k) => names[(i * atOnce + k) % names.length] as string);
    return {
      commands: some.map((name) => `RCPT TO:<${name}>\r\n`).join(""),
      codes: some.map((name) => (isKnown(name) ? codes.known : codes.unknown)),
    };
  });
}

function check(replies: readonly string[], codes: readonly string[]): void {
  for (const [i, code] of codes.entries()) {
    if (!replies[i]?.startsWith(code))
      throw new Error(`"${replies[i]}" where ${code.trimEnd()} was expected`);
  }
}
