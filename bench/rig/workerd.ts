/** Raw workerd: the production bundle and a peer in one process each, on loopback, without a simulator. */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A server under test. */
export interface Served {
  readonly origin: string;
  stop(): Promise<void>;
}

const COMPATIBILITY_DATE = "2026-11-01";

/** Serves the edge's production bundle with KV in memory and a SQLite Registry in a folder that goes away. */
export async function serveEdge(secrets: Readonly<Record<string, string>>): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-bench-"));
  const port = await freePort();
  const bindings = Object.entries(secrets)
    .map(([name, value]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(value)})`)
    .join(", ");
  const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edge),
    (name = "kv", worker = .kv),
    (name = "disk", disk = (path = ${JSON.stringify(folder)}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "edge")],
);
const edge :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  bindings = [
    (name = "ROLLCALL_KV", kvNamespace = "kv"),
    (name = "REGISTRY", durableObjectNamespace = "Registry"),
    ${bindings},
  ],
  durableObjectNamespaces = [(className = "Registry", uniqueKey = "registry", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
);
const kv :Workerd.Worker = (
  modules = [(name = "kv.js", esModule = embed "kv.js")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
);
`;
  // workerd embeds what lies beside its configuration.
  copyFileSync(join(root, "dist/edge/worker.js"), join(folder, "worker.js"));
  copyFileSync(join(root, "bench/rig/kv.js"), join(folder, "kv.js"));
  return serve(folder, config, port);
}

/** Serves one script of bench/peers. */
export async function servePeer(script: string): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-bench-"));
  const port = await freePort();
  const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "peer", worker = .peer)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "peer")],
);
const peer :Workerd.Worker = (
  modules = [(name = "peer.js", esModule = embed "peer.js")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
);
`;
  copyFileSync(join(root, "bench/peers", script), join(folder, "peer.js"));
  return serve(folder, config, port);
}

async function serve(folder: string, config: string, port: number): Promise<Served> {
  const file = join(folder, "config.capnp");
  writeFileSync(file, config);
  const child = spawn(join(root, "node_modules/.bin/workerd"), ["serve", file, "--experimental"], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  await untilListening(port, child);
  return {
    origin: `http://127.0.0.1:${port}`,
    async stop() {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) throw new Error(`workerd ended with ${child.exitCode} before it listened`);
    try {
      await fetch(`http://127.0.0.1:${port}/healthz`);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error("workerd did not listen within 10 seconds");
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
