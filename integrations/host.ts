import type { Outcome } from "../test/mta/host/cases.ts";

/**
 * A mail server as its distribution installs it, for the test of what our lines must leave alone. Its functions run inside
 * the namespaces of test/mta/host: /etc, /usr and /var are its own there, so that it has its real paths, users and ports,
 * and nothing leaves the machine.
 */
export interface Host {
  /** The name of its folder, and of its page in docs/mta/. */
  readonly name: string;
  /** What is pasted, in turn. */
  readonly ways: readonly string[];
  /** Why the server cannot run here, or null. */
  readonly missing: string | null;
  /** Whether its package is one of those that .ci/run unpacks, in place of one that is installed. */
  readonly isUnpacked: boolean;
  /** False for a server without users, aliases and a command `sendmail`. */
  readonly hasUsers: boolean;
  /** Folders and files that hold its configuration: they are put back before each way. */
  readonly configuration: readonly string[];
  /** Where authenticated clients connect. */
  submission(way: string): { readonly port: number; readonly tls: boolean };
  /** Makes the distribution's default configuration, and lets {@link LOGIN} send mail, as the distribution's manual says. */
  install(): void;
  /** Makes the server read /etc/aliases again, if that takes a command. */
  newAliases?(): void;
  /** Does what the page says, with the file as it is: not even an address is changed, but for that of the edge. */
  paste(way: string, edge: { readonly url: string; readonly checkToken: string }): void;
  /** Starts the server, which greets by itself soon. @returns how to end it */
  start(): () => Promise<void>;
  /** Messages of its own command that wait in its queue after a try that failed, if the command sends over SMTP. */
  waiting?(): string;
  /** What it wrote to its logs. */
  logs(): string;
  /** Outcomes by the name of a case, where the server's default differs from that of most. */
  readonly differences: Readonly<Record<string, Outcome>>;
}

/** Who may send mail from anywhere. */
export const LOGIN = { user: "ada", password: "of-a-test" } as const;

/** The host's name in all configurations, and its user who gets root's mail. */
export const NAME = "mx.example.org";
