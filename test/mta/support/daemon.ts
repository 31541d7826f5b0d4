import type { ChildProcess } from "node:child_process";
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
    await until("the server greets", async () => !this.isRunning() || (await isReady())).catch(
      () => undefined,
    );
    if (!this.isRunning() || !(await isReady())) {
      await this.stop();
      throw new Error(`the server does not come up:\n${this.output}${logs()}`);
    }
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    if (this.isRunning()) this.#child.kill(signal);
    await this.ended;
  }
}
