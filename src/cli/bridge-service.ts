import { type BridgeConfiguration, type Predecessor, type RunningBridge, repeat } from "../bridge/index.ts";
import { CliError, EXIT } from "./exit.ts";
import { explain } from "./explain.ts";
import type { Platform } from "./platform.ts";
import { ServiceManager } from "./service-manager.ts";
import { startSuccessor } from "./takeover.ts";

/** A running bridge as a service: its signals, and what the service manager is told. */
export class BridgeService {
  readonly #platform: Platform;
  readonly #read: () => BridgeConfiguration;
  /** The signal to stop; null if another process has taken over. Rejects if nobody listens any more. */
  readonly #over: Promise<string | null>;
  #begin: (task: Task) => void = () => undefined;
  /** One task after another, and none before the bridge runs. */
  #tasks = new Promise<Task>((resolve) => {
    this.#begin = resolve;
  });

  /**
   * From here on no signal ends the process.
   * @param read reads the configuration again. @throws whatever is wrong with it
   */
  constructor(platform: Platform, read: () => BridgeConfiguration) {
    this.#platform = platform;
    this.#read = read;
    this.#over = new Promise((resolve, reject) => {
      // Never removed: a second signal must not interrupt the stop.
      platform.onStop(resolve);
      // SIGHUP means that the terminal was closed, or asks a service, which has no terminal, to read its settings again.
      const isAttached = platform.stdoutIsTerminal || platform.stderrIsTerminal;
      platform.onHangup(() => (isAttached ? resolve("SIGHUP") : this.#later((task) => this.#reload(task))));
      platform.onReplace(() =>
        this.#later(async (task) => {
          try {
            if (await this.#replace(task)) resolve(null);
          } catch (error) {
            reject(error);
          }
        }),
      );
    });
  }

  /** Runs until a signal stops the bridge, or another process has taken over. @throws CliError if nobody listens any more */
  async run(running: RunningBridge, predecessor: Predecessor | null): Promise<void> {
    const manager = new ServiceManager(this.#platform, {
      isSuccessor: predecessor !== null,
      failed: (why) => running.notifyFailed(why),
    });
    // systemd must know the new process before the old one ends.
    await manager.ready(running.status);
    const alone = predecessor?.ready((connection) => running.continue(connection)) ?? Promise.resolve();
    this.#begin({ running, manager, alone });
    const stopSayingAlive = repeat(this.#platform, 0, () => manager.alive(running.status));
    const signal = await this.#over.finally(stopSayingAlive);
    if (signal !== null) await Promise.all([manager.stopping(), running.stop(signal)]);
  }

  /** @returns whether another process has taken over. @throws CliError */
  async #replace({ running, manager, alone }: Task): Promise<boolean> {
    // What the process before still sends would have nobody to take it.
    await alone;
    const replacement = await running.replace((listeners) => startSuccessor(this.#platform, listeners));
    // It may have told systemd that it is the main process.
    if (replacement === "continues") await manager.continues(running.status);
    if (replacement !== "nobody-listens") return replacement === "replaced";
    throw new CliError(
      EXIT.failed,
      "the new process ended when this one had left its sockets to it",
      "start the bridge again: nobody listens; the messages of the new process say why it ended",
    );
  }

  async #reload({ running, manager }: Task): Promise<void> {
    await manager.reloading();
    let why: string | null;
    try {
      why = await running.reload(this.#read());
    } catch (error) {
      const { message, details } = explain(error);
      running.refuseReload(message, details);
      why = message;
    }
    await manager.ready(why === null ? running.status : `the old settings are in use: ${why}`);
  }

  #later(act: (task: Task) => Promise<void>): void {
    this.#tasks = this.#tasks.then(async (task) => {
      await act(task);
      return task;
    });
  }
}

/** What a task works with. */
interface Task {
  readonly running: RunningBridge;
  readonly manager: ServiceManager;
  /** Resolves when no other process hands over to this one. */
  readonly alone: Promise<void>;
}
