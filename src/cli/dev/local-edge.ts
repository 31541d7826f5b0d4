import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { messageOf } from "../../runtime/message-of.ts";
import { CliError, EXIT, usageError } from "../exit.ts";
import { packageFile } from "./package.ts";
import type { Vars } from "./state.ts";

export const HOST = "127.0.0.1";

/** The same as in wrangler.toml, which a test checks. */
export const COMPATIBILITY_DATE = "2026-11-01";

/** A running Worker. */
export interface LocalEdge {
  /** Without a trailing slash. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Runs the Worker in workerd on loopback.
 * @param storage where KV and Durable Objects persist
 * @param log receives the output of the Worker and the runtime
 */
export async function startEdge(
  port: number,
  storage: string,
  vars: Vars,
  log: (line: string) => void,
): Promise<LocalEdge> {
  const script = readFileSync(packageFile("dist", "edge", "worker.js"), "utf8");
  const { Miniflare, Log, LogLevel } = await import("miniflare");
  const runtimeLog = new (class extends Log {
    protected override log(message: string): void {
      log(message);
    }
  })(LogLevel.WARN);
  const env = Object.fromEntries(
    Object.entries(vars).map(([name, value]) => [name, { type: "text" as const, value }]),
  );
  const before = signalListeners();
  const runtime = new Miniflare({
    host: HOST,
    port,
    log: runtimeLog,
    logRequests: false,
    handleStructuredLogs: ({ level, message }) => log(`${level}: ${message}`),
    // Read from and write to the state folder only.
    enableDevRegistry: false,
    cf: false,
    resourcePersistencePath: storage,
    resourceTmpPath: join(storage, "..", "tmp"),
    workers: [
      {
        config: {
          name: "rollcall",
          compatibilityDate: COMPATIBILITY_DATE,
          manifest: { mainModule: "worker.js", modules: { "worker.js": { type: "esm", contents: script } } },
          exports: { Registry: { type: "durable-object", storage: "sqlite" } },
          env: {
            ...env,
            // wrangler names a namespace without an id by its binding; use the same one.
            ROLLCALL_KV: { type: "kv", id: "ROLLCALL_KV" },
            REGISTRY: { type: "durable-object", worker: "rollcall", exportName: "Registry" },
            ASSETS: { type: "assets" },
          },
          assets: {
            directory: packageFile("dist", "edge", "assets"),
            htmlHandling: "none",
            hasUserWorker: true,
            runWorkerFirst: true,
          },
        },
      },
    ],
  });
  try {
    const { origin } = await runtime.ready;
    removeOthers(before);
    return { url: origin, stop: () => runtime.dispose() };
  } catch (error) {
    removeOthers(before);
    await runtime.dispose().catch(() => undefined);
    throw new CliError(
      EXIT.failed,
      `the Worker did not start: ${messageOf(error)}`,
      "see the lines above; rebuild the Worker with `npm run build`",
    );
  }
}

/** @throws CliError if the runtime is not installed: only a clone has it */
export function requireRuntime(): void {
  try {
    import.meta.resolve("miniflare");
  } catch {
    throw new CliError(
      EXIT.failed,
      "`rollcall dev` needs the runtime of Workers, which the installed command does not have",
      "run it in a clone of the repository, after `npm ci`; a mail host needs only `rollcall bridge`",
    );
  }
}

/** @throws CliError exit 2 if the port is in use or cannot be used */
export async function requireFreePort(port: number, option: string): Promise<void> {
  if (port === 0) return;
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("error", reject);
      probe.listen(port, HOST, resolve);
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "is in use" : `cannot be used: ${message}`;
    throw usageError(
      `port ${port} of ${HOST} ${why}`,
      `stop the process that listens there, or choose another ${option}`,
    );
  }
  await new Promise<void>((resolve) => probe.close(() => resolve()));
}

// Miniflare exits on a signal with its own code, before anything can be shut down.
const SIGNALS = ["SIGINT", "SIGTERM"] as const;
type Listeners = ReadonlyMap<NodeJS.Signals, ReadonlySet<unknown>>;

const signalListeners = (): Listeners =>
  new Map(SIGNALS.map((signal) => [signal, new Set<unknown>(process.listeners(signal))]));

function removeOthers(before: Listeners): void {
  for (const [signal, known] of before) {
    for (const listener of process.listeners(signal)) {
      if (!known.has(listener)) process.off(signal, listener);
    }
  }
}
