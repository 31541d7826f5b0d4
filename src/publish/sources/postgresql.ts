import { Socket } from "node:net";
import type { Client, ClientConfig, Query, QueryArrayConfig, QueryResult } from "pg";
import * as v from "valibot";
import { PublishError } from "../errors.ts";
import { readOver } from "./connection.ts";
import { loadDriver } from "./driver.ts";
import { kind, type SourceHost } from "./kind.ts";
import { readSecret, secretSettings } from "./secret.ts";
import { databaseFault, RowReader, SQL_SETTINGS } from "./sql.ts";
import { TLS_SETTINGS, tlsOptions } from "./tls.ts";

const URL_FORM =
  'must be such as "postgresql://reader@db.example.com/mail", or "postgresql://reader@/mail?host=/var/run/postgresql"';

/** What is used of the package pg. */
interface Driver {
  readonly Client: typeof Client;
  readonly Query: typeof Query;
}

/** `kind = "postgresql"`: a query in a transaction that cannot write, whose rows are read as they arrive. */
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
      const { default: pg } = await loadDriver<{ default: Driver }>("pg", "8", host);
      await readOver(timeout, host, signal, () => {
        const socket = new Socket();
        const client = new pg.Client({ ...connection(url, settings, host), stream: () => socket });
        let broken: unknown = null;
        // Without a listener, a connection that breaks between two queries would end the process.
        client.on("error", (error) => {
          broken ??= error;
        });
        return {
          read: async () => {
            await client.connect();
            await client.query("BEGIN TRANSACTION READ ONLY");
            // A policy that hides rows is an error: a list must not be shorter because of who asks.
            await client.query("SET LOCAL row_security = off");
            // A statement with a name is prepared, alone. Otherwise the rows of a second one would be left out.
            const statement: QueryArrayConfig = { name: "list", text: query, rowMode: "array" };
            const list = new pg.Query<unknown[]>(statement);
            await rowsOf(client, list, (names) => new RowReader(names, settings, host, sink));
            await client.query("COMMIT");
            if (broken !== null) throw broken;
          },
          cut: () => void socket.destroy(),
          faultOf: (error) => databaseFault(host, broken ?? error),
        };
      });
    },
  }),
});

/**
 * Passes the rows of a query to a reader, which is made from the names of its columns. The driver keeps none. A cursor would
 * let the server wait for us after each few thousand rows, and us for it.
 */
function rowsOf(
  client: Client,
  query: Query<unknown[]>,
  readerOf: (names: readonly string[]) => RowReader,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let reader: RowReader | null = null;
    let isOver = false;
    // What is thrown here would end the process: the driver calls this from its socket.
    const attempt = (work: () => void): void => {
      if (isOver) return;
      try {
        work();
      } catch (error) {
        isOver = true;
        reject(error);
      }
    };
    const open = (result: Pick<QueryResult, "fields"> | undefined): RowReader => {
      reader ??= readerOf((result?.fields ?? []).map(({ name }) => name));
      return reader;
    };
    query.on("row", (row, result) => attempt(() => open(result).row(row)));
    query.on("end", (result) =>
      attempt(() => {
        open(result);
        resolve();
      }),
    );
    query.on("error", reject);
    client.query(query);
  });
}

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
