import type { ChildProcess } from "node:child_process";
import type { MailServer } from "../../../integrations/rig.ts";
import type { Cleanup } from "./cleanup.ts";
import { greets } from "./postfix.ts";
import { endWithUs, until } from "./waiting.ts";

/** A server's main process. */
export class Daemon {
  output = "";
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    }
    this.ended = new Promise((resolve) => child.once("exit", () => resolve()).once("error", () => resolve()));
    endWithUs(child);
  }

  isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits until it is ready. @throws with its output and `logs()` if it ends, or is not ready in time */
  async untilReady(isReady: () => Promise<boolean>, logs: () => string = () => ""): Promise<void> {
    const isUp = await until("the server greets", async () => !this.isRunning() || (await isReady())).then(
      () => this.isRunning(),
      () => false,
    );
    if (!isUp) {
      await this.stop();
      throw new Error(`the server does not come up:\n${this.output}${logs()}`);
    }
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    if (this.isRunning()) this.#child.kill(signal);
    await this.ended;
  }
}

/**
 * A mail server whose main process was started; it greets by now.
 * @param cleanup what its stop undoes; the process is a part of that
 * @param how `signal` ends the process; `logs` has what it does not print
 * @throws Error with its output and logs if it does not come up
 */
export async function mailServer(
  daemon: Daemon,
  port: number,
  cleanup: Cleanup,
  { signal, logs = () => "" }: { readonly signal?: "SIGKILL"; readonly logs?: () => string } = {},
): Promise<MailServer> {
  cleanup.add(() => daemon.stop(signal));
  await daemon.untilReady(() => greets(port), logs);
  return {
    port,
    isRunning: () => daemon.isRunning(),
    logs: () => daemon.output + logs(),
    stop: () => cleanup.run(),
  };
}
