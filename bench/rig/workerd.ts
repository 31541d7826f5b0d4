/** Raw workerd on loopback, without a simulator: one process each for KV, for the edge and for a peer. */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const WORKERD = join(root, "node_modules/.bin/workerd");
const COMPATIBILITY_DATE = "2026-11-01";
const PATIENCE_MS = 20_000;

/** A server under test. */
export interface Served {
  readonly origin: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** What an edge stands on and what outlives it: KV and the Registry's folder. */
export interface Ground {
  /** Origin of a server of rig/kv-worker.js. */
  readonly kv: string;
  readonly registry: string;
}

export interface EdgeSetting {
  /** Left out: KV and Registry are the edge's own, and go with it. */
  readonly ground?: Ground;
  /** Milliseconds that each call of the Registry waits before it begins; its calls are counted then. */
  readonly registryDelay?: number;
  /** A second isolate beside it, on the same KV and Registry. */
  readonly hasNeighbour?: boolean;
  /** Whether the isolates can be looked into; see rig/inspector.ts. */
  readonly isInspected?: boolean;
}

export interface ServedEdge extends Served {
  /** Origin of the second isolate, where one was wanted. */
  readonly neighbour: string | null;
  /** `host:port` of workerd's inspector, where it was wanted. */
  readonly inspector: string | null;
}

/**
 * Serves the edge's production bundle.
 * @param variables secrets and variables of the Worker
 */
export async function serveEdge(
  variables: Readonly<Record<string, string>>,
  setting: EdgeSetting = {},
): Promise<ServedEdge> {
  if (setting.ground === undefined) return serveEdgeAlone(variables, setting);
  const { ground, registryDelay, hasNeighbour = false } = setting;
  const isInstrumented = registryDelay !== undefined || setting.isInspected === true;
  const entry = isInstrumented ? [join(root, "bench/rig/instrumented.js")] : [];
  const modules = [...entry, join(root, "dist/edge/worker.js")];
  const bindings = {
    ...texts(variables),
    ...texts(registryDelay === undefined ? {} : { BENCH_REGISTRY_DELAY: String(registryDelay) }),
    ROLLCALL_KV: `kvNamespace = "kv"`,
  };
  const namespace = (more: string): string => `durableObjectNamespace = ${more}`;
  const ports = [await freePort(), ...(hasNeighbour ? [await freePort()] : [])];
  const inspector = setting.isInspected ? `127.0.0.1:${await freePort()}` : null;
  const served = await serve({
    services: [
      { name: "edge", modules, bindings: { ...bindings, REGISTRY: namespace(`"Registry"`) }, more: REGISTRY },
      ...(hasNeighbour
        ? [
            {
              name: "neighbour",
              modules,
              bindings: {
                ...bindings,
                REGISTRY: namespace(`(className = "Registry", serviceName = "edge")`),
              },
            },
          ]
        : []),
    ],
    others: [
      `(name = "kv", external = (address = "${new URL(ground.kv).host}", http = ()))`,
      `(name = "disk", disk = (path = ${JSON.stringify(ground.registry)}, writable = true))`,
    ],
    ports,
    flags: inspector === null ? [] : ["--inspector-addr", inspector],
    // So that garbage can be let go of before the inspector counts.
    v8Flags: inspector === null ? [] : ["--expose-gc"],
  });
  // The isolate is begun by now, and has asked KV and Registry for nothing.
  for (const port of ports) await (await fetch(`http://127.0.0.1:${port}/healthz`)).arrayBuffer();
  const neighbour = hasNeighbour ? `http://127.0.0.1:${ports[1]}` : null;
  return { ...served, neighbour, inspector };
}

const REGISTRY = `durableObjectNamespaces = [(className = "Registry", uniqueKey = "registry", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),`;

async function serveEdgeAlone(
  variables: Readonly<Record<string, string>>,
  setting: EdgeSetting,
): Promise<ServedEdge> {
  const registry = mkdtempSync(join(tmpdir(), "rollcall-bench-registry-"));
  const kv = await serveScript(join(root, "bench/rig/kv-worker.js"));
  const edge = await serveEdge(variables, { ...setting, ground: { kv: kv.origin, registry } });
  return {
    ...edge,
    async stop() {
      await edge.stop();
      await kv.stop();
      rmSync(registry, { recursive: true, force: true });
    },
  };
}

/**
 * Serves one script of bench/peers.
 * @param variables what it finds in its environment
 */
export const servePeer = (
  script: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<Served> => serveScript(join(root, "bench/peers", script), variables);

/** Serves one script. */
export async function serveScript(
  path: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<Served> {
  return serve({
    services: [{ name: "script", modules: [path], bindings: texts(variables) }],
    others: [],
    ports: [await freePort()],
    flags: [],
  });
}

/**
 * Serves one script of bench/peers that reads KV for each check. KV lives in the same process, where its reads cost
 * the least.
 */
export async function servePeerWithKv(
  script: string,
  variables: Readonly<Record<string, string>>,
): Promise<Served & { readonly kv: string }> {
  const ports = [await freePort(), await freePort()];
  const served = await serve({
    services: [
      {
        name: "script",
        modules: [join(root, "bench/peers", script)],
        bindings: { ...texts(variables), KV: `kvNamespace = "kv"` },
      },
      { name: "kv", modules: [join(root, "bench/rig/kv-worker.js")], bindings: {} },
    ],
    others: [],
    ports,
    flags: [],
  });
  return { ...served, kv: `http://127.0.0.1:${ports[1]}` };
}

interface Service {
  readonly name: string;
  /** Files, the entry first; each is imported by its own name. */
  readonly modules: readonly string[];
  readonly bindings: Readonly<Record<string, string>>;
  readonly more?: string;
}

interface Process {
  readonly services: readonly Service[];
  /** Services that are no Workers. */
  readonly others: readonly string[];
  /** A port for each of the services. */
  readonly ports: readonly number[];
  readonly flags: readonly string[];
  readonly v8Flags?: readonly string[];
}

const texts = (values: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, `text = ${JSON.stringify(value)}`]),
  );

async function serve({ flags, ...configured }: Process): Promise<Served> {
  const { services, ports } = configured;
  const folder = mkdtempSync(join(tmpdir(), "rollcall-bench-"));
  // workerd embeds what lies beside its configuration.
  for (const { modules } of services)
    for (const path of modules) copyFileSync(path, join(folder, basename(path)));
  const file = join(folder, "config.capnp");
  writeFileSync(file, configOf(configured));
  const child = spawn(WORKERD, ["serve", file, "--experimental", ...flags], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const end = (): void => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  // Whatever breaks, nothing stays behind.
  process.once("exit", end);
  const gone = new Promise((resolve) => child.once("exit", resolve));
  const port = ports[0] as number;
  await untilListening(port, child);
  return {
    origin: `http://127.0.0.1:${port}`,
    pid: child.pid as number,
    async stop() {
      child.kill("SIGTERM");
      await gone;
      process.off("exit", end);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configOf({ services, others, ports, v8Flags = [] }: Omit<Process, "flags">): string {
  const named = services.map(({ name }) => `(name = "${name}", worker = .${name})`);
  const sockets = services.map(
    ({ name }, i) => `(name = "${name}", address = "127.0.0.1:${ports[i]}", http = (), service = "${name}")`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${[...named, ...others].join(", ")}],
  sockets = [${sockets.join(", ")}],
  v8Flags = ${JSON.stringify(v8Flags)},
);
${services.map(workerOf).join("\n")}`;
}

function workerOf({ name, modules, bindings, more = "" }: Service): string {
  const files = modules.map((path) => basename(path));
  const embedded = files.map((file) => `(name = "${file}", esModule = embed "${file}")`);
  const bound = Object.entries(bindings).map(([key, value]) => `(name = "${key}", ${value})`);
  return `const ${name} :Workerd.Worker = (
  modules = [${embedded.join(", ")}],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  bindings = [${bound.join(", ")}],
  ${more}
);`;
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    if (child.exitCode !== null) throw new Error(`workerd ended with ${child.exitCode} before it listened`);
    if (await accepts(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`workerd did not listen within ${PATIENCE_MS / 1000} seconds`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
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
