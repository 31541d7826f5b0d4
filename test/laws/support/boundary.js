// A proxy between the built Worker and its bindings, inside workerd. It counts what the Worker asks of KV and of the
// Registry, and makes them fail, hang, answer late or return old data. The Worker itself is the deployed one.
import worker, { Registry } from "./worker.js";

export { Registry };

const FAIR = { registry: "up", blobs: "up", kv: "up", late: 0 };
const LONG = 30_000;

let weather = { ...FAIR };
let count = { kv: 0, registry: 0 };
/** KV as it was when it was frozen. */
let frozen = null;
/** The Worker's bindings. For the Worker, other bindings are another isolate. */
let bindings = null;

export default {
  async fetch(request, env, context) {
    if (new URL(request.url).pathname === "/boundary") return Response.json(await control(request, env));
    bindings ??= around(env);
    return worker.fetch(request, bindings, context);
  },
};

async function control(request, env) {
  const { isolate, forget, ...change } = await request.json();
  const before = count;
  if (forget) count = { kv: 0, registry: 0 };
  if (isolate) bindings = null;
  weather = { ...weather, ...change };
  if (change.kv === "frozen") frozen = await copyOf(env.ROLLCALL_KV);
  return before;
}

async function copyOf(kv) {
  const { keys } = await kv.list();
  return new Map(await Promise.all(keys.map(async ({ name }) => [name, await kv.get(name, "arrayBuffer")])));
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function around(env) {
  return {
    ...env,
    ROLLCALL_KV: { get: (key, options) => readKv(env.ROLLCALL_KV, key, options) },
    REGISTRY: {
      idFromName: (name) => env.REGISTRY.idFromName(name),
      get: (id, options) =>
        new Proxy(
          {},
          {
            get:
              (_, name) =>
              (...args) =>
                askRegistry(() => env.REGISTRY.get(id, options), name, args),
          },
        ),
    },
  };
}

async function readKv(kv, key, options) {
  count.kv++;
  if (weather.kv === "fails") throw new Error("KV is away");
  if (weather.kv === "hangs") await pause(LONG);
  if (weather.kv !== "frozen") return kv.get(key, options);
  if (Array.isArray(key)) {
    const decoder = new TextDecoder();
    return new Map(key.map((name) => [name, frozen.has(name) ? decoder.decode(frozen.get(name)) : null]));
  }
  return frozen.get(key)?.slice(0) ?? null;
}

async function askRegistry(stub, name, args) {
  count.registry++;
  if (weather.registry === "fails") throw new Error("the Registry is away");
  if (weather.registry === "hangs") await pause(LONG);
  if (name === "blob" && weather.blobs === "fails") throw new Error("the Registry has lost its shards");
  const answer = await stub()[name](...args);
  // The answer is late, not the question: it has the state of the time when it was made.
  if (weather.late > 0) await pause(weather.late);
  return answer;
}
