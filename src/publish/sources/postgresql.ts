import { Socket } from "node:net";
import type { Client, ClientConfig } from "pg";
import * as v from "valibot";
import { PublishError } from "../errors.ts";
import { loadDriver } from "./driver.ts";
import { kind, type SourceHost } from "./kind.ts";
import { readSecret, secretSettings } from "./secret.ts";
import { databaseFault, RowReader, SQL_SETTINGS } from "./sql.ts";
import { TLS_SETTINGS, tlsOptions } from "./tls.ts";
import { within } from "./within.ts";

const URL_FORM =
  'must be such as "postgresql://reader@db.example.com/mail", or "postgresql://reader@/mail?host=/var/run/postgresql"';

/** A few thousand rows at a time, so that a list of any size needs little memory. */
const FETCH = "FETCH FORWARD 5000 FROM list";

/** `kind = "postgresql"`: a query, read by a cursor in a transaction that cannot write. */
export const postgresql = kind({
  settings: {
    url: v.pipe(v.string(URL_FORM), v.regex(/^postgres(?:ql)?:\/\//, URL_FORM)),
    ...secretSettings("password"),
    ...TLS_SETTINGS,
    ...SQL_SETTINGS,
  },
  open: ({ url, query, timeout, ...settings }, host) => ({
    describe: () => `${host.shown} (PostgreSQL)`,
    async read(sink, signal) {
      const { default: pg } = await loadDriver<{ default: { Client: typeof Client } }>("pg", "8", host);
      const socket = new Socket();
      const client = new pg.Client({ ...connection(url, settings, host), stream: () => socket });
      await within(timeout, host, signal, async (limited) => {
        let broken: unknown = null;
        // Without a listener, a connection that breaks between two queries would end the process.
        client.on("error", (error) => {
          broken ??= error;
        });
        const cut = (): void => void socket.destroy();
        limited.addEventListener("abort", cut, { once: true });
        try {
          await client.connect();
          await client.query("BEGIN TRANSACTION READ ONLY");
          // All rows will be fetched: plan for that, and not for the first ones.
          await client.query("SET LOCAL cursor_tuple_fraction = 1");
          // A policy that hides rows is an error: a list must not be shorter because of who asks.
          await client.query("SET LOCAL row_security = off");
          // A statement with a name is prepared, alone. Otherwise the rows of a second one would be left out.
          await client.query({ name: "list", text: `DECLARE list NO SCROLL CURSOR FOR ${query}` });
          let reader: RowReader | null = null;
          for (;;) {
            const { rows, fields } = await client.query<unknown[]>({ text: FETCH, rowMode: "array" });
            reader ??= new RowReader(
              fields.map(({ name }) => name),
              settings,
              host,
              sink,
            );
            for (const row of rows) reader.row(row);
            if (rows.length === 0) break;
          }
          await client.query("COMMIT");
          if (broken !== null) throw broken;
        } catch (error) {
          limited.throwIfAborted();
          throw error instanceof PublishError ? error : databaseFault(host, broken ?? error);
        } finally {
          limited.removeEventListener("abort", cut);
          cut();
        }
      });
    },
  }),
});

type Secrets = Parameters<typeof readSecret<"password">>[1] & Parameters<typeof tlsOptions>[0];

/** @throws PublishError `input` for a URL that cannot be used */
function connection(text: string, settings: Secrets, host: SourceHost): ClientConfig {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new PublishError("input", `${host.shown}: the url cannot be read`, `it ${URL_FORM}`);
  }
  if (url.password !== "") {
    throw new PublishError(
      "input",
      `${host.shown}: the url contains a password`,
      "remove it, and name a file with password_file",
    );
  }
  const socket = url.searchParams.get("host");
  const server = socket ?? (url.hostname || "/var/run/postgresql");
  const password = readSecret("password", settings, host);
  return {
    host: server,
    port: Number(url.port || 5432),
    user: decodeURIComponent(url.username),
    database: decodeURIComponent(url.pathname.slice(1)),
    ...(password === null ? {} : { password }),
    ssl: tlsOptions(settings, server.startsWith("/") ? null : server, host) ?? false,
    application_name: "rollcall",
  };
}
