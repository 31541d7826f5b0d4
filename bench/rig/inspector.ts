/** Looks into an isolate through workerd's inspector: what V8 itself says that it holds. */
import type { ServedEdge } from "./workerd.ts";

/** Bytes that one isolate holds, after garbage was let go of. */
export interface IsolateBytes {
  /** Objects, strings and code in V8's heap. */
  readonly heap: number;
  /** Of array buffers, which lie outside of the heap: shards. */
  readonly buffers: number;
}

const PATIENCE_MS = 10_000;

interface HeapUsage {
  readonly usedSize: number;
  readonly backingStorageSize: number;
}

/** @throws Error where the edge was not begun with `isInspected` */
export async function isolateBytes({ origin, inspector }: ServedEdge): Promise<IsolateBytes> {
  if (inspector === null) throw new Error("this edge cannot be looked into");
  const collected = await fetch(`${origin}/bench/gc`);
  if (!collected.ok) throw new Error(`garbage was not let go of: ${await collected.text()}`);
  await collected.arrayBuffer();
  return inspect(inspector, async (call) => {
    const { usedSize, backingStorageSize } = (await call("Runtime.getHeapUsage")) as HeapUsage;
    return { heap: usedSize, buffers: backingStorageSize };
  });
}

/** Calls a method of the Chrome DevTools Protocol. */
export type Call = (method: string, params?: Readonly<Record<string, unknown>>) => Promise<unknown>;

/** Speaks with workerd's inspector about the isolate of the edge. @param inspector `host:port` */
export async function inspect<T>(inspector: string, use: (call: Call) => Promise<T>): Promise<T> {
  const socket = new WebSocket(`ws://${inspector}/edge`);
  try {
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () =>
        reject(new Error(`the inspector at ${inspector} does not answer`)),
      );
    });
    let id = 0;
    return await use((method, params = {}) => call(socket, ++id, method, params));
  } finally {
    socket.close();
  }
}

function call(
  socket: WebSocket,
  id: number,
  method: string,
  params: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the inspector does not answer ${method}`)), PATIENCE_MS);
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

interface Message {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}
