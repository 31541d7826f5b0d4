import { isIP } from "node:net";
import type { Connection, ConnectionOptions, FieldPacket } from "mysql2";
import * as v from "valibot";
import { PublishError } from "../errors.ts";
import { readOver } from "./connection.ts";
import { loadDriver } from "./driver.ts";
import { kind, type SourceHost } from "./kind.ts";
import { readSecret, secretSettings } from "./secret.ts";
import { textSetting } from "./settings.ts";
import { databaseFault, RowReader, SQL_SETTINGS } from "./sql.ts";
import { TLS_SETTINGS, tlsOptions } from "./tls.ts";

const PORT = "must be a port number";

/** `kind = "mariadb"`: a query to MariaDB or MySQL, whose rows are read as they arrive. */
export const mariadb = kind({
  settings: {
    host: v.optional(textSetting("must be the name of the server")),
    port: v.optional(v.pipe(v.number(PORT), v.integer(PORT), v.minValue(1, PORT), v.maxValue(65_535, PORT))),
    socket: v.optional(textSetting("must be the path of the server's unix socket")),
    user: textSetting("must be the name of a user who may read the tables"),
    database: textSetting("must be the name of the database"),
    ...secretSettings("password"),
    ...TLS_SETTINGS,
    ...SQL_SETTINGS,
  },
  open: ({ query, timeout, ...settings }, host) => ({
    describe: () => `${host.shown} (MariaDB)`,
    async read(sink, signal) {
      const { default: mysql } = await loadDriver<{
        default: { createConnection(options: ConnectionOptions): Connection };
      }>("mysql2", "3", host);
      const options = connectionOptions(settings, host);
      await readOver(timeout, host, signal, () => {
        const connection = mysql.createConnection(options);
        // A connection that breaks does not always end the command that runs.
        const broken = new Promise<never>((_, reject) => {
          connection.on("error", reject);
          connection.on("end", () => reject(new Error("the connection was closed")));
        });
        const read = async (): Promise<void> => {
          await run(connection, "START TRANSACTION READ ONLY");
          // The server may have a limit for everyone, which cuts a result without a word.
          await run(
            connection,
            "SET SESSION sql_select_limit = 18446744073709551615, max_error_count = 65535",
          );
          await rowsOf(connection, query, (names) => new RowReader(names, settings, host, sink));
          await requireWhole(connection, host);
          await run(connection, "COMMIT");
        };
        return {
          read: () => Promise.race([read(), broken]),
          cut: () => connection.destroy(),
          faultOf: (error) => databaseFault(host, error),
        };
      });
    },
  }),
});

const run = (connection: Connection, statement: string): Promise<void> =>
  new Promise((resolve, reject) => {
    connection.query(statement, (error) => (error ? reject(error) : resolve()));
  });

/** Warnings with which the server cuts a value (GROUP_CONCAT), or the result (LIMIT ROWS EXAMINED). */
const CUT = [1260, 1931];

/** @throws PublishError `input` if the server cut what the last statement yields */
async function requireWhole(connection: Connection, { shown }: SourceHost): Promise<void> {
  const warnings = await new Promise<readonly unknown[]>((resolve, reject) => {
    connection.query({ sql: "SHOW WARNINGS", rowsAsArray: true }, (error, rows) =>
      error ? reject(error) : resolve(rows as unknown[]),
    );
  });
  const cut = (warnings as [level: string, code: number, message: string][]).find(([, code]) =>
    CUT.includes(code),
  );
  if (cut === undefined) return;
  throw new PublishError(
    "input",
    `${shown}: the server truncated the result of the query: ${cut[2]}`,
    "change the query, or raise the limit of the server (group_concat_max_len)",
  );
}

/** Passes the rows of a query to a reader, which is made from the names of its columns. */
function rowsOf(
  connection: Connection,
  query: string,
  readerOf: (names: readonly string[]) => RowReader,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let reader: RowReader | null = null;
    const fail = (error: unknown): void => {
      // The rest of the rows would still arrive.
      connection.destroy();
      reject(error);
    };
    connection
      .query({ sql: query, rowsAsArray: true })
      .on("fields", (fields: readonly FieldPacket[] | undefined) => {
        try {
          reader = readerOf((fields ?? []).map(({ name }) => name));
        } catch (error) {
          fail(error);
        }
      })
      .on("result", (row: unknown) => {
        try {
          if (Array.isArray(row)) reader?.row(row as unknown[]);
        } catch (error) {
          fail(error);
        }
      })
      .on("error", reject)
      .on("end", () => (reader === null ? reject(new Error("the query yields no rows to read")) : resolve()));
  });
}

type Settings = Parameters<typeof readSecret<"password">>[1] &
  Parameters<typeof tlsOptions>[0] & {
    readonly host?: string | undefined;
    readonly port?: number | undefined;
    readonly socket?: string | undefined;
    readonly user: string;
    readonly database: string;
  };

/** @throws PublishError `input` for settings that do not fit each other, or a secret that cannot be read */
function connectionOptions(settings: Settings, host: SourceHost): ConnectionOptions {
  const { host: server, port, socket, user, database } = settings;
  if ((server === undefined) === (socket === undefined)) {
    throw new PublishError(
      "input",
      `${host.shown} needs the server: host or socket`,
      'set one of them, such as host = "db.example.com"',
    );
  }
  const password = readSecret("password", settings, host);
  const tls = tlsOptions(settings, server ?? null, host);
  if (tls !== null && isIP(server ?? "") !== 0) {
    throw new PublishError(
      "input",
      `${host.shown}: the certificate of ${server} cannot be verified: the driver verifies names only`,
      "set host to the name in the certificate, or tls = false",
    );
  }
  return {
    ...(server === undefined ? { socketPath: socket as string } : { host: server, port: port ?? 3306 }),
    user,
    database,
    ...(password === null ? {} : { password }),
    ...(tls === null ? {} : { ssl: { ...tls, verifyIdentity: true } }),
    // Ids and flags of 64 bits keep their value.
    supportBigNumbers: true,
    charset: "utf8mb4",
    // The whole read has a timeout of its own.
    connectTimeout: 60_000,
  };
}
