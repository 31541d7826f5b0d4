// KV's wire protocol for raw workerd, over a map: enough for the edge, without a simulator's cost. It counts
// operations and can add a delay. Keys arrive percent-encoded, so none starts with bench/.
const values = new Map();
const decoder = new TextDecoder();
let delay = 0;
let counts = noCounts();

function noCounts() {
  return { reads: {}, answered: {}, writes: {}, deletes: {} };
}

/** Kinds of keys: domain, shard, roster; mailbox for the peer. */
function note(table, key) {
  const kind = key.split("/", 1)[0];
  table[kind] = (table[kind] ?? 0) + 1;
}

/** One operation on `keys`, after the delay; what is answered is counted apart from what was asked. */
async function read(keys) {
  const { reads, answered } = counts;
  for (const key of keys) note(reads, key);
  if (delay > 0) await scheduler.wait(delay);
  for (const key of keys) note(answered, key);
  return keys.map((key) => values.get(key));
}

async function control(url) {
  switch (url.pathname) {
    case "/bench/counts":
      return Response.json({ ...counts, ...held() });
    case "/bench/reset":
      counts = noCounts();
      return new Response(null, { status: 204 });
    case "/bench/delay":
      delay = Number(url.searchParams.get("ms"));
      return new Response(null, { status: 204 });
    case "/bench/fill": {
      const one = new TextEncoder().encode("1").buffer;
      const domain = url.searchParams.get("domain");
      for (let i = 0; i < Number(url.searchParams.get("count")); i++) {
        values.set(`mailbox/user${i}@${domain}`, one);
      }
      return new Response(null, { status: 204 });
    }
    default:
      return new Response(null, { status: 404 });
  }
}

/** Keys, and the bytes of their values, by kind. */
function held() {
  const keys = {};
  const bytes = {};
  for (const [key, value] of values) {
    const kind = key.split("/", 1)[0];
    keys[kind] = (keys[kind] ?? 0) + 1;
    bytes[kind] = (bytes[kind] ?? 0) + value.byteLength;
  }
  return { keys, bytes };
}

export default {
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname.startsWith("/bench/")) return control(url);
    if (url.pathname === "/bulk/get") {
      const { keys } = await request.json();
      const found = await read(keys);
      const text = (value) => (value === undefined ? null : decoder.decode(value));
      return Response.json(Object.fromEntries(keys.map((key, i) => [key, text(found[i])])));
    }
    const key = decodeURIComponent(url.pathname.slice(1));
    if (request.method === "PUT") {
      values.set(key, await request.arrayBuffer());
      note(counts.writes, key);
      return new Response(null, { status: 204 });
    }
    if (request.method === "DELETE") {
      values.delete(key);
      note(counts.deletes, key);
      return new Response(null, { status: 204 });
    }
    const [value] = await read([key]);
    return value === undefined ? new Response(null, { status: 404 }) : new Response(value);
  },
};
