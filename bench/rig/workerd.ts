/** Raw workerd on loopback, without a simulator: one process each for KV, for the edge and for a peer. */
import { copyFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { basename, join } from "node:path";
import { freePort } from "../../testing/ports.ts";
import { root, type Started, start, temporaryFolder } from "./processes.ts";

const WORKERD = join(root, "node_modules/.bin/workerd");
const COMPATIBILITY_DATE = "2026-11-01";
const KV_WORKER = join(root, "bench/rig/kv-worker.js");

/** Workers that one process serves. */
export interface Served extends Started {
  /** Of the first Worker. */
  readonly origin: string;
  readonly origins: readonly string[];
}

interface Worker {
  readonly name: string;
  /** Files, the entry first; each is imported by its own name. */
  readonly modules: readonly string[];
  /** Texts, or a binding in workerd's own words. */
  readonly bindings: Readonly<Record<string, string | { readonly raw: string }>>;
  /** Further members of the Worker, in workerd's own words. */
  readonly more?: string;
}

interface Configured {
  /** Services that are not Workers. */
  readonly services?: readonly string[];
  readonly flags?: readonly string[];
  readonly v8Flags?: readonly string[];
}

/** Serves Workers in one process, each on a port of its own. */
async function serve(workers: readonly Worker[], configured: Configured = {}): Promise<Served> {
  const { services = [], flags = [], v8Flags = [] } = configured;
  const folder = temporaryFolder();
  // workerd embeds what is beside its configuration.
  for (const path of workers.flatMap(({ modules }) => modules))
    copyFileSync(path, join(folder.path, basename(path)));
  const ports: number[] = [];
  for (const _ of workers) ports.push(await freePort());
  const named = workers.map(({ name }) => `(name = "${name}", worker = .${name})`);
  const sockets = workers.map(
    ({ name }, i) => `(name = "${name}", address = "127.0.0.1:${ports[i]}", http = (), service = "${name}")`,
  );
  const file = join(folder.path, "config.capnp");
  writeFileSync(
    file,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${[...named, ...services].join(", ")}],
  sockets = [${sockets.join(", ")}],
  v8Flags = ${JSON.stringify(v8Flags)},
);
${workers.map(workerOf).join("\n")}`,
  );
  const started = await start(WORKERD, ["serve", file, "--experimental", ...flags], {
    folder,
    isReady: () => accepts(ports[0] as number),
  });
  const origins = ports.map((port) => `http://127.0.0.1:${port}`);
  return { ...started, origin: origins[0] as string, origins };
}

/** Whether a port takes connections; a request would already do work. */
const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });

function workerOf({ name, modules, bindings, more = "" }: Worker): string {
  const files = modules.map((path) => basename(path));
  const embedded = files.map((file) => `(name = "${file}", esModule = embed "${file}")`);
  const bound = Object.entries(bindings).map(
    ([key, value]) =>
      `(name = "${key}", ${typeof value === "string" ? `text = ${JSON.stringify(value)}` : value.raw})`,
  );
  return `const ${name} :Workerd.Worker = (
  modules = [${embedded.join(", ")}],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  bindings = [${bound.join(", ")}],
  ${more}
);`;
}

export const serveKvWorker = (): Promise<Served> =>
  serve([{ name: "kv", modules: [KV_WORKER], bindings: {} }]);

type Variables = Readonly<Record<string, string>>;

/** Serves a script of bench/peers, or a bundle. @param variables what it finds in its environment */
export const servePeer = (script: string, variables: Variables = {}): Promise<Served> =>
  serve([{ name: "peer", modules: [join(root, "bench/peers", script)], bindings: variables }]);

/** The same with KV as the second Worker of the same process, where reads cost the least. */
export const servePeerWithKv = (script: string, variables: Variables): Promise<Served> =>
  serve([
    {
      name: "peer",
      modules: [join(root, "bench/peers", script)],
      bindings: { ...variables, KV: { raw: `kvNamespace = "kv"` } },
    },
    { name: "kv", modules: [KV_WORKER], bindings: {} },
  ]);

export interface EdgeSetting {
  /** Milliseconds that each call of the Registry waits first; its calls are counted then. */
  readonly registryDelay?: number;
  /** A second isolate beside it, on the same KV and Registry: the second of its origins. */
  readonly hasNeighbour?: boolean;
  /** Whether the inspector can look into the isolates; see rig/inspector.ts. */
  readonly isInspected?: boolean;
}

export interface ServedEdge extends Served {
  /** `host:port` of workerd's inspector, if it was asked for. */
  readonly inspector: string | null;
}

/**
 * Serves the edge's production bundle.
 * @param variables secrets and variables of the Worker
 * @param kv origin of a server of rig/kv-worker.js
 * @param registry folder of the Registry
 */
export async function serveEdge(
  variables: Variables,
  kv: string,
  registry: string,
  { registryDelay, hasNeighbour = false, isInspected = false }: EdgeSetting,
): Promise<ServedEdge> {
  const isInstrumented = registryDelay !== undefined || isInspected;
  const worker = (name: string, namespace: string, more = ""): Worker => ({
    name,
    modules: [
      ...(isInstrumented ? [join(root, "bench/rig/instrumented.js")] : []),
      join(root, "dist/edge/worker.js"),
    ],
    bindings: {
      ...variables,
      BENCH_REGISTRY_DELAY: String(registryDelay ?? 0),
      ROLLCALL_KV: { raw: `kvNamespace = "kv"` },
      REGISTRY: { raw: `durableObjectNamespace = ${namespace}` },
    },
    more,
  });
  const inspector = isInspected ? `127.0.0.1:${await freePort()}` : null;
  const served = await serve(
    [
      worker(
        "edge",
        `"Registry"`,
        `durableObjectNamespaces = [(className = "Registry", uniqueKey = "registry", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),`,
      ),
      ...(hasNeighbour ? [worker("neighbour", `(className = "Registry", serviceName = "edge")`)] : []),
    ],
    {
      services: [
        `(name = "kv", external = (address = "${new URL(kv).host}", http = ()))`,
        `(name = "disk", disk = (path = ${JSON.stringify(registry)}, writable = true))`,
      ],
      flags: inspector === null ? [] : ["--inspector-addr", inspector],
      // So that garbage can be collected before the inspector counts.
      v8Flags: inspector === null ? [] : ["--expose-gc"],
    },
  );
  // The isolates have started now, and have asked KV and Registry for nothing.
  for (const origin of served.origins) await (await fetch(`${origin}/healthz`)).arrayBuffer();
  return { ...served, inspector };
}
