/**
 * What the conformance corpus and the fault matrix need of a front end. Each folder beside this file is one mail server:
 * the configuration to paste, and `rig.ts`, which starts a real server with that very configuration.
 */

/** Where the bridge and the edge can be asked. Addresses are `127.0.0.1:PORT`. */
export interface Listeners {
  readonly socketmap: string;
  readonly policy: string;
  readonly line: string;
  readonly tcp: string;
  /** MTA Hooks, and whatever else speaks HTTP to the bridge. */
  readonly http: string;
  readonly edge: { readonly url: string; readonly token: string };
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

/** One way in which a mail server asks. A server with several has a configuration file for each. */
export interface Way {
  /** Unique within the rig, such as `socketmap`. */
  readonly name: string;
  /** For the head of a column in the documentation. */
  readonly title: string;
  /** The file to paste, beside the rig. The rig changes its addresses and its domains, and nothing else. */
  readonly file: string;
}

/** How to run one mail server. */
export interface Rig {
  /** The name of its folder. */
  readonly name: string;
  /** The server and the version that runs here, such as "Exim 4.98.2". */
  version(): string;
  readonly ways: readonly Way[];
  /** Why the server cannot run here, such as "exim4 is not installed"; null if it can. */
  readonly missing: string | null;
  /**
   * Starts the server and waits for its greeting.
   *
   * @param domains that it relays, in A-labels
   * @throws an Error with the server's log if it does not start
   */
  start(way: Way, listeners: Listeners, domains: readonly string[]): Promise<MailServer>;
}

/** A front end that is not asked through SMTP, such as a Worker: the test asks it in its own way. */
export interface Entry {
  readonly name: string;
  readonly missing: string | null;
  start(listeners: Listeners): Promise<RunningEntry>;
}

export interface RunningEntry {
  /** @returns the reply that a client of this front end would see: code, enhanced code, text */
  rcpt(recipient: string): Promise<string>;
  stop(): Promise<void>;
}
