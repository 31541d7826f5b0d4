/**
 * What the conformance corpus and the fault matrix need of a front end. Each folder beside this file is one mail server:
 * the configuration to paste, and `rig.ts`, which starts a real server with that very configuration. A new mail server is
 * one folder, one page in docs/mta/, and one line in rigs.ts.
 */
import type { Answer } from "../src/directory/index.ts";

/** Where the bridge and the edge can be asked. Addresses are `127.0.0.1:PORT`. */
export interface Listeners {
  readonly socketmap: string;
  readonly policy: string;
  readonly line: string;
  readonly tcp: string;
  /** MTA Hooks, and whatever else speaks HTTP to the bridge. */
  readonly http: string;
  readonly edge: {
    readonly url: string;
    readonly token: string;
    /** PEM file of the authority of its certificate, besides those of the system; null for HTTP. */
    readonly authority: string | null;
  };
}

/** A running mail server. */
export interface MailServer {
  /** Its SMTP port on 127.0.0.1. */
  readonly port: number;
  /** Whether its main process is still there. */
  isRunning(): boolean;
  /** What it wrote to its logs. */
  logs(): string;
  stop(): Promise<void>;
}

/**
 * Rows of the corpus for which clients of this front end see something else than {@link Way.codes} says, because the
 * mail server decides before it asks, or asks with another spelling.
 */
export interface Difference {
  /** Names of rows of test/conformance/corpus.ts. */
  readonly rows: readonly string[];
  /** Names of ways; all of them if left out. */
  readonly ways?: readonly string[];
  /** What a client sees: `250 2.1.5`, or `250` if there is no enhanced code. */
  readonly codes: string;
  /** Why, with the setting that decides it. The documentation shows it. */
  readonly because: string;
}

/**
 * Faults of the matrix for which mail servers differ. `silent`: the edge is slow or silent, and the bridge answers after its
 * timeout of 3 s. The others are of the bridge: `stopped`; `restarted` and ready again; `refusing` more connections than its
 * limit; `hung`, so that its system accepts connections and nothing answers; its `backlog` full, so that connections hang.
 */
export type FaultKind = "silent" | "stopped" | "restarted" | "refusing" | "hung" | "backlog";

/** A wait of more than five seconds that no setting of the mail server shortens, or an SMTP session that remembers. */
export interface Patience {
  readonly faults: readonly FaultKind[];
  /** The longest time until the reply; five seconds if left out. Infinity: the server waits for as long as its client. */
  readonly seconds?: number;
  /** The server waits for at least so many seconds, if the documentation says so. */
  readonly atLeast?: number;
  /**
   * An SMTP session that met the fault, after the recovery: its first lookup may be deferred (`once`), or all of them
   * (`always`). Left out: it gets the right answer at once.
   */
  readonly defersInSession?: "once" | "always";
  /** For the documentation. */
  readonly because: string;
}

/** One way in which a mail server asks. A server with several has a configuration file for each. */
export interface Way {
  /** Unique within the rig, such as `socketmap`. */
  readonly name: string;
  /** For the head of a column in the documentation. */
  readonly title: string;
  /** Whom the server asks. A way that asks the edge itself meets no fault of the bridge, and has no cache. */
  readonly asks: keyof Listeners;
  /** The file to paste, beside the rig. The rig changes its addresses and its domains, and nothing else. */
  readonly file: string;
  /**
   * What a client sees of an answer of the edge: `550 5.1.1`. A way that passes replies on gives the codes of
   * `answer.reply`; one that can only say yes, no or later gives the mail server's own codes.
   */
  codes(answer: Pick<Answer, "verdict" | "action" | "reply">): string;
  readonly patience?: readonly Patience[];
}

/**
 * The same mail server without Rollcall: it looks recipients up in a list of its own, as its manual says. The benchmark
 * compares ways that ask with it.
 */
export interface LocalList {
  /** Unique within the rig, such as `lmdb`. */
  readonly name: string;
  /** For the documentation, such as "`relay_recipient_maps`, lmdb". */
  readonly title: string;
  /** Names of the ways that take its place. */
  readonly ways: readonly string[];
  /** Why this list cannot be used here, though the server can run; null if it can. */
  readonly missing: string | null;
  /**
   * As {@link Rig.start}.
   *
   * @param domain in lower case
   * @param names local parts of its mailboxes
   */
  start(domain: string, names: readonly string[]): Promise<MailServer>;
}

/** The codes of a reply as it is: `550 5.1.1`. For a {@link Way} that passes replies on. */
export const codesOfReply = ({ reply }: Pick<Answer, "reply">): string =>
  /^\d{3} \d\.\d+\.\d+/.exec(reply)?.[0] ?? reply.slice(0, 3);

/** How to run one mail server. */
export interface Rig {
  /** The name of its folder, and of its page in docs/mta/. */
  readonly name: string;
  /** The server and the version that runs here, such as "Exim 4.98.2". */
  version(): string;
  readonly ways: readonly Way[];
  readonly differences: readonly Difference[];
  /** Whether it offers SMTPUTF8. If it does not, clients cannot send it an address that is not ASCII. */
  readonly smtputf8: boolean;
  /** From which address of loopback strangers connect, if the server takes 127.0.0.1 for itself. */
  readonly client?: string;
  /** Why the server cannot run here, such as "exim4 is not installed"; null if it can. */
  readonly missing: string | null;
  /**
   * Starts the server and waits for its greeting. It relays `domains`, delivers nothing, and takes clients on 127.0.0.1
   * (or `client`) for strangers.
   *
   * @param domains in A-labels; an IDN may also have to be configured in Unicode
   * @throws an Error with the server's log if it does not start
   */
  start(way: Way, listeners: Listeners, domains: readonly string[]): Promise<MailServer>;
  readonly localLists: readonly LocalList[];
}

/** A front end that is not asked through SMTP, such as a Worker: the test asks it in its own way. */
export interface Entry {
  readonly name: string;
  readonly title: string;
  readonly differences: readonly Difference[];
  /** What a client of it sees of an answer of the edge. */
  codes(answer: Pick<Answer, "verdict" | "action" | "reply">): string;
  readonly missing: string | null;
  start(listeners: Listeners, domains: readonly string[]): Promise<RunningEntry>;
}

export interface RunningEntry {
  /**
   * An entry that cannot ask the edge of the listeners runs one of its own: what `rollcall` needs in its environment to
   * publish there. Its lists are empty at first.
   */
  readonly administrator?: Readonly<Record<"ROLLCALL_URL" | "ROLLCALL_TOKEN", string>>;
  /** @returns the reply that a client of this front end would see: code, enhanced code, text */
  rcpt(recipient: string): Promise<string>;
  stop(): Promise<void>;
}
