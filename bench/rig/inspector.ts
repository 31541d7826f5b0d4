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
  const socket = new WebSocket(`ws://${inspector}/edge`);
  try {
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () =>
        reject(new Error(`the inspector at ${inspector} does not answer`)),
      );
    });
    const { usedSize, backingStorageSize } = (await call(socket, "Runtime.getHeapUsage")) as HeapUsage;
    return { heap: usedSize, buffers: backingStorageSize };
  } finally {
    socket.close();
  }
}

function call(socket: WebSocket, method: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the inspector does not answer ${method}`)), PATIENCE_MS);
    socket.addEventListener("message", ({ data }) => {
      const { result, error } = JSON.parse(String(data)) as { result?: unknown; error?: { message: string } };
      clearTimeout(timer);
      if (error === undefined) resolve(result);
      else reject(new Error(`${method}: ${error.message}`));
    });
    socket.send(JSON.stringify({ id: 1, method, params: {} }));
  });
}
