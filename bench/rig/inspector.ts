/** Looks into an isolate: through workerd's inspector, and through rig/instrumented.js. */
import { memoryOf } from "./processes.ts";
import type { ServedEdge } from "./workerd.ts";

/** Calls of the Registry that an instrumented edge counted. `answered` are those that a request may have waited for. */
export async function registryCalls(origin: string, which: "started" | "answered"): Promise<number> {
  const response = await fetch(`${origin}/bench/registry-calls`);
  if (!response.ok) throw new Error("this edge does not count calls of the Registry");
  return ((await response.json()) as Record<typeof which, number>)[which];
}

/** Bytes of one isolate after a garbage collection, and of its process. */
export interface IsolateBytes {
  /** Objects, strings and code in V8's heap. */
  readonly heap: number;
  /** Array buffers, which are outside the heap: shards. */
  readonly buffers: number;
  readonly resident: number;
}

/** @throws Error if the edge was not started with `isInspected` */
export async function isolateBytes(edge: ServedEdge): Promise<IsolateBytes> {
  const collected = await fetch(`${edge.origin}/bench/gc`);
  if (!collected.ok) throw new Error(`garbage was not collected: ${await collected.text()}`);
  await collected.arrayBuffer();
  const { usedSize, backingStorageSize } = await inspect(
    edge,
    async (call) =>
      (await call("Runtime.getHeapUsage")) as {
        readonly usedSize: number;
        readonly backingStorageSize: number;
      },
  );
  return { heap: usedSize, buffers: backingStorageSize, resident: memoryOf(edge.pid, "VmRSS") ?? 0 };
}

/** Calls a method of the Chrome DevTools Protocol. */
export type Call = (method: string, params?: Readonly<Record<string, unknown>>) => Promise<unknown>;

const TIMEOUT_MS = 10_000;

/** Speaks with workerd's inspector about the isolate of the edge. */
export async function inspect<T>({ inspector }: ServedEdge, use: (call: Call) => Promise<T>): Promise<T> {
  if (inspector === null) throw new Error("this edge was started without an inspector");
  const socket = new WebSocket(`ws://${inspector}/edge`);
  try {
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () => reject(new Error(`no inspector at ${inspector}`)));
    });
    let lastId = 0;
    return await use((method, params = {}) => call(socket, ++lastId, method, params));
  } finally {
    socket.close();
  }
}

interface Message {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

function call(socket: WebSocket, id: number, method: string, params: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the inspector does not answer ${method}`)), TIMEOUT_MS);
    const listen = ({ data }: MessageEvent): void => {
      const message = JSON.parse(String(data)) as Message;
      if (message.id !== id) return;
      clearTimeout(timer);
      socket.removeEventListener("message", listen);
      if (message.error === undefined) resolve(message.result);
      else reject(new Error(`${method}: ${message.error.message}`));
    };
    socket.addEventListener("message", listen);
    socket.send(JSON.stringify({ id, method, params }));
  });
}
