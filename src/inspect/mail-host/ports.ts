import type { RollcallClient } from "../../client/index.ts";
import type { Clock } from "../../runtime/ports.ts";

/** Where a bridge listens, as its settings say. */
export type SocketAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

export interface ListenerSetting {
  /** The protocol, or `metrics`. */
  readonly name: string;
  readonly address: SocketAddress;
  /** The address, as people see it. */
  readonly shown: string;
}

/** How a command ended; null if it is not installed. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The mail host, as its examination sees it. */
export interface MailHostPorts {
  readonly client: RollcallClient;
  /** Unix milliseconds. */
  readonly clock: Clock;
  readonly listeners: readonly ListenerSetting[];
  readonly token: {
    /** Unix milliseconds; null for never, undefined if the token does not say. */
    readonly expires: number | null | undefined;
    /** The file that it came from; null if it came from elsewhere. */
    readonly file: string | null;
  };
  /** The folder of the bridge's replica; null if the settings name none. */
  readonly replica: string | null;
  /** How the Registry's log is older than what the replica's folder knows; null if it is not. */
  olderLog(): Promise<{ readonly why: string; readonly fix: string } | null>;
  /** Whether a process runs. */
  isRunning(pid: number): boolean;
  /** The time that the edge states in its answer (`Date`), Unix milliseconds; null if it states none. */
  edgeTime(): Promise<number | null>;
  /** Sends a question to a listener. @returns the whole reply. @throws if there is no connection */
  ask(address: SocketAddress, question: string): Promise<string>;
  /** Runs a command of the system. @param more.input standard input; more.cwd its working directory */
  run(
    file: string,
    args: readonly string[],
    more?: { readonly input?: string; readonly cwd?: string },
  ): Promise<CommandResult | null>;
  /** Random bytes, for the name of a recipient that nobody has. */
  readonly random: Uint8Array;
}
