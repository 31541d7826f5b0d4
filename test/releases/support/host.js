// The main module of a release's Worker under test, inside workerd. It shifts the clock to the time at which a state was
// stored, puts that state into an empty Registry, and lets a test read and write the Registry's tables. The Worker beside
// it is the release's own.
import { SHIFT } from "./clock.js";
import tables from "./tables.js";
import worker, { Registry as ReleasedRegistry } from "./worker.js";

let kvFails = false;

export class Registry extends ReleasedRegistry {
  #storage;

  constructor(context, env) {
    const { storage } = context;
    const setAlarm = storage.setAlarm.bind(storage);
    storage.setAlarm = (time) => setAlarm(time - SHIFT);
    if (tables !== null && masterOf(storage).length === 0) restore(storage);
    super(context, { ...env, ROLLCALL_KV: failing(env.ROLLCALL_KV) });
    this.#storage = storage;
  }

  hostTables() {
    return dump(this.#storage);
  }

  hostSql(statement, bindings) {
    return this.#storage.sql.exec(statement, ...bindings).toArray();
  }
}

export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith("/host/")) return worker.fetch(request, env, context);
    const { fails, statement, bindings = [] } = await request.json();
    const registry = env.REGISTRY.get(env.REGISTRY.idFromName("registry 0"));
    if (pathname === "/host/tables") return Response.json(await registry.hostTables());
    if (pathname === "/host/sql") return Response.json(await registry.hostSql(statement, bindings));
    kvFails = fails;
    return Response.json(null);
  },
};

const failing = (kv) =>
  new Proxy(kv, {
    get(target, name) {
      if (kvFails && (name === "put" || name === "delete")) {
        return () => Promise.reject(new Error("KV takes no writes"));
      }
      const value = target[name];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

const masterOf = (storage) =>
  storage.sql
    .exec("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    .toArray()
    .filter(({ name }) => !/^(_cf_|sqlite_)/.test(name));

/** Everything in SQLite; bytes as { base64 }. */
function dump(storage) {
  const master = masterOf(storage);
  const rows = master
    .filter(({ type }) => type === "table")
    .map(({ name }) => [
      name,
      storage.sql
        .exec(`SELECT * FROM ${name}`)
        .toArray()
        .map((row) =>
          Object.fromEntries(Object.entries(row).map(([column, value]) => [column, packed(value)])),
        ),
    ]);
  return { master, rows: Object.fromEntries(rows) };
}

function restore(storage) {
  const { master, rows } = tables;
  const create = (wanted) => {
    for (const { type, sql } of master) if ((type === "table") === wanted) storage.sql.exec(sql);
  };
  create(true);
  for (const [table, lines] of Object.entries(rows)) {
    for (const line of lines) {
      const columns = Object.keys(line);
      const marks = columns.map(() => "?").join(", ");
      const names = columns.map((column) => `"${column}"`).join(", ");
      storage.sql.exec(
        `INSERT INTO ${table} (${names}) VALUES (${marks})`,
        ...columns.map((c) => unpacked(line[c])),
      );
    }
  }
  // Triggers last: putting rows back is no change.
  create(false);
  const alarm = rows.meta.find(({ name }) => name === "alarm")?.value;
  if (alarm) storage.setAlarm(alarm);
}

const packed = (value) =>
  value instanceof ArrayBuffer ? { base64: new Uint8Array(value).toBase64() } : value;

const unpacked = (value) =>
  value !== null && typeof value === "object" ? Uint8Array.fromBase64(value.base64) : value;
