/** Domains by the thousand, each with a list of its own, and an isolate whose operations are counted. */
import type { CommitResult, DomainCommit } from "../../../src/api/index.ts";
import { DEFAULT_POLICY } from "../../../src/directory/index.ts";
import type { Env } from "../../../src/edge/worker.ts";
import { commitOf, pack } from "../../../testing/lists.ts";
import { callJson, testEnv } from "./edge.ts";
import { keyFor } from "./tokens.ts";

/** Names of `count` domains. */
export const domainNames = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `d${i}.example`);

/** A first commit of a domain whose only mailbox is alice, without asking the edge for its key. */
const firstCommit = (domain: string): DomainCommit => {
  const key = keyFor(domain, 1);
  return commitOf(pack(["alice"], key, DEFAULT_POLICY), key, DEFAULT_POLICY, { expect: null });
};

/** Publishes them, `each` in a commit. */
export async function publishMany(bindings: Env, domains: readonly string[], each: number): Promise<void> {
  for (let at = 0; at < domains.length; at += each) {
    const json = { domains: domains.slice(at, at + each).map(firstCommit) };
    await callJson<CommitResult>(bindings, "/v1/commits", { json });
  }
}

/** Operations on KV and on Registries since the last reset. */
export interface Count {
  total: number;
  atOnce: number;
  most: number;
}

/** An isolate whose every operation on its bindings is counted, as the platform counts them. */
export function countedEnv(): { readonly env: Env; readonly count: Count } {
  const count: Count = { total: 0, atOnce: 0, most: 0 };
  const counted = async (work: () => unknown): Promise<unknown> => {
    count.total++;
    count.most = Math.max(count.most, ++count.atOnce);
    try {
      return await work();
    } finally {
      count.atOnce--;
    }
  };
  const REGISTRY = watched(testEnv.REGISTRY, (name, call) =>
    name === "get" ? watched(call() as object, (_, ask) => counted(ask)) : call(),
  );
  const ROLLCALL_KV = watched(testEnv.ROLLCALL_KV, (_, call) => counted(call));
  return { env: { ...testEnv, REGISTRY, ROLLCALL_KV }, count };
}

/** The same object, with every method call wrapped in `around`. */
function watched<T extends object>(target: T, around: (name: string, call: () => unknown) => unknown): T {
  return new Proxy(target, {
    get(_, name) {
      const method: unknown = Reflect.get(target, name, target);
      if (typeof method !== "function") return method;
      return (...args: unknown[]) => around(String(name), () => Reflect.apply(method, target, args));
    },
  });
}
