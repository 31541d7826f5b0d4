// The production bundle, with three additions: each call of the Registry can wait first, as if it were far away, and
// is counted; and garbage can be collected on request.
import worker, { Registry as Near } from "./worker.js";

/** Called by the platform, not by the edge. */
const OWN = ["constructor", "alarm"];
const calls = { started: 0, answered: 0 };

export class Registry extends Near {}

for (const name of Object.getOwnPropertyNames(Near.prototype).filter((each) => !OWN.includes(each))) {
  const near = Near.prototype[name];
  const value = async function (...args) {
    calls.started++;
    await scheduler.wait(Number(this.env.BENCH_REGISTRY_DELAY ?? 0));
    const result = await near.apply(this, args);
    calls.answered++;
    return result;
  };
  Object.defineProperty(Registry.prototype, name, { value });
}

export default {
  async fetch(request, env, context) {
    // Without parsing the URL: the profile must show the edge.
    if (request.url.endsWith("/bench/registry-calls")) return Response.json(calls);
    if (request.url.endsWith("/bench/gc")) return Response.json({ isDone: globalThis.gc() === undefined });
    return worker.fetch(request, env, context);
  },
};
