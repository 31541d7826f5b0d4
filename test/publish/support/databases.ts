/** Real database servers in folders of their own, on loopback, with TLS certificates for the name `localhost`. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../../testing/ports.ts";
import { endWithUs, until } from "../../mta/support/waiting.ts";

const POSTGRES_HOME = "/usr/lib/postgresql";

/** Programs of the newest PostgreSQL that is installed; null if there is none. */
export const POSTGRES: string | null = existsSync(POSTGRES_HOME)
  ? (readdirSync(POSTGRES_HOME)
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(POSTGRES_HOME, version, "bin"))
      .find((bin) => existsSync(join(bin, "postgres"))) ?? null)
  : null;

export const isInstalled = (program: string): boolean =>
  (process.env.PATH ?? "")
    .split(":")
    .concat("/usr/sbin")
    .some((folder) => existsSync(join(folder, program)));

/** Why a test is skipped, for its name. */
export const note = (missing: string | null): string => (missing === null ? "" : ` (skipped: ${missing})`);

export interface Server {
  readonly port: number;
  /** Runs statements as the superuser. */
  sql(text: string): void;
  /** Ends it at once, as a power failure does. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Makes `ca.pem`, and `cert.pem` with `key.pem` for localhost, in a folder. */
export function makeCertificates(folder: string): void {
  const openssl = (...args: string[]): void => {
    execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  };
  const request = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  openssl("req", "-x509", ...request, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=a test authority");
  const names = ["-addext", "subjectAltName=DNS:localhost"];
  openssl(
    "req",
    ...request.slice(0, -2),
    "-keyout",
    "key.pem",
    "-out",
    "cert.csr",
    "-subj",
    "/CN=localhost",
    ...names,
  );
  openssl(
    ..."x509 -req -in cert.csr -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy -days 2 -out cert.pem".split(
      " ",
    ),
  );
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once("close", () => resolve());
  });

function serverOf(child: ChildProcess, port: number, sql: Server["sql"]): Server {
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await ended(child);
  };
  return { port, sql, kill: () => end("SIGKILL"), stop: () => end("SIGINT") };
}

/** A PostgreSQL, run as the user postgres. User `reader` has the password `secret`. */
export async function startPostgres(folder: string): Promise<Server> {
  const bin = POSTGRES as string;
  const port = await freePort();
  const data = join(folder, "data");
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  makeCertificates(folder);
  execFileSync("chown", ["-R", "postgres", folder]);
  const as = (program: string, args: readonly string[], input?: string): void => {
    execFileSync("setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", program, ...args], {
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      ...(input === undefined ? {} : { input }),
      cwd: folder,
    });
  };
  as(join(bin, "initdb"), ["-D", data, "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"]);
  writeFileSync(
    join(data, "pg_hba.conf"),
    "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\nhostnossl all all 127.0.0.1/32 scram-sha-256\n",
  );
  const settings = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: folder,
    fsync: "off",
    ssl: "on",
    ssl_cert_file: join(folder, "cert.pem"),
    ssl_key_file: join(folder, "key.pem"),
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(
    "setpriv",
    ["--reuid=postgres", "--regid=postgres", "--clear-groups", join(bin, "postgres"), "-D", data, ...options],
    { stdio: "ignore", cwd: folder },
  );
  endWithUs(child);
  const sql = (text: string): void =>
    as(
      join(bin, "psql"),
      ["-h", folder, "-p", String(port), "-d", "postgres", "-q", "-v", "ON_ERROR_STOP=1"],
      text,
    );
  await until("PostgreSQL answers", () => {
    try {
      sql("SELECT 1");
      return true;
    } catch {
      return false;
    }
  });
  sql("CREATE ROLE reader LOGIN PASSWORD 'secret'; GRANT pg_read_all_data TO reader;");
  return serverOf(child, port, sql);
}

/** A MariaDB, run as root. User `reader` has the password `secret`. */
export async function startMariadb(folder: string): Promise<Server> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  makeCertificates(folder);
  const data = join(folder, "data");
  const socket = join(folder, "socket");
  execFileSync(
    "mariadb-install-db",
    [
      "--no-defaults",
      `--datadir=${data}`,
      "--user=root",
      "--auth-root-authentication-method=normal",
      "--skip-test-db",
    ],
    { stdio: "pipe" },
  );
  const options = [`--datadir=${data}`, `--socket=${socket}`, `--port=${port}`, "--bind-address=127.0.0.1"];
  const tls = ["--ssl-cert=cert.pem", "--ssl-key=key.pem"].map((each) => each.replace("=", `=${folder}/`));
  const child = spawn(
    "mariadbd",
    ["--no-defaults", ...options, ...tls, "--user=root", "--innodb-flush-log-at-trx-commit=0"],
    {
      stdio: "ignore",
      cwd: folder,
    },
  );
  endWithUs(child);
  const sql = (text: string): void => {
    execFileSync("mariadb", ["--no-defaults", `--socket=${socket}`, "-u", "root", "--skip-ssl"], {
      input: text,
      stdio: "pipe",
    });
  };
  await until("MariaDB answers", () => existsSync(socket));
  sql(
    "CREATE USER reader@'%' IDENTIFIED BY 'secret'; CREATE DATABASE mail CHARACTER SET utf8mb4; GRANT SELECT ON mail.* TO reader@'%';",
  );
  return {
    ...serverOf(child, port, sql),
    stop: async () => {
      child.kill("SIGTERM");
      await ended(child);
    },
  };
}
