/** Haraka from npm, with the plugin of this folder, whose package is of CommonJS: hence `.mts`. */
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Cleanup } from "../../test/mta/support/cleanup.ts";
import { folder } from "../../test/mta/support/command.ts";
import { Daemon, mailServer } from "../../test/mta/support/daemon.ts";
import { freePort } from "../../testing/ports.ts";
import {
  codesOfReply,
  type Difference,
  type Listeners,
  type LocalList,
  type MailServer,
  type Rig,
  type Way,
} from "../rig.ts";

/** Where .ci/run has installed the packages that this folder's package.json needs. */
export const INSTALLED = join(process.env.ROLLCALL_HARAKA ?? "/nowhere", "node_modules");

/** Why Haraka cannot run here, or null. */
export const WITHOUT_HARAKA: string | null = existsSync(join(INSTALLED, "Haraka/package.json"))
  ? null
  : "ROLLCALL_HARAKA does not name a folder with Haraka";

/** The file's lines: nothing else than addresses and domains is changed. */
function settingsOf(file: string, listeners: Listeners, domains: readonly string[]): string {
  let text = readFileSync(join(import.meta.dirname, file), "utf8");
  if (!text.includes("example.com")) throw new Error(`${file} does not name its domains`);
  for (const [from, to] of [
    ["domains = example.com", `domains = ${domains.join(", ")}`],
    ["127.0.0.1:10025", listeners.line],
    ["https://rollcall.example.org", listeners.edge.url],
  ] as const) {
    text = text.replaceAll(from, to);
  }
  return text;
}

/** Makes node_modules with the plugin as npm would install it, next to what it needs. */
export function installPlugin(home: string): void {
  const modules = join(home, "node_modules");
  mkdirSync(modules, { recursive: true });
  // Its fixtures look for the plugin beside themselves.
  const copied = "haraka-test-fixtures";
  cpSync(join(INSTALLED, copied), join(modules, copied), { recursive: true });
  for (const name of readdirSync(INSTALLED).filter((it) => !it.startsWith(".") && it !== copied)) {
    symlinkSync(join(INSTALLED, name), join(modules, name));
  }
  const { files } = JSON.parse(readFileSync(join(import.meta.dirname, "package.json"), "utf8")) as {
    files: string[];
  };
  for (const file of ["package.json", "index.js", ...files]) {
    cpSync(join(import.meta.dirname, file), join(modules, "haraka-plugin-rollcall", file), {
      recursive: true,
    });
  }
}

/** @param configuration files of its folder `config`, by their names @param authority see {@link Listeners} */
async function startHaraka(
  configuration: Readonly<Record<string, string>>,
  authority: string | null,
): Promise<MailServer> {
  const cleanup = new Cleanup();
  const port = await freePort();
  const home = folder(cleanup);
  installPlugin(home);
  const files = {
    me: "mx.example.org\n",
    "smtp.ini": `listen = 127.0.0.1:${port}\nnodes = 0\n`,
    "log.ini": "level = INFO\n",
    ...configuration,
  };
  mkdirSync(join(home, "config"));
  // As `haraka --install` does: Haraka does not start without it.
  cpSync(join(INSTALLED, "Haraka/config/connection.ini"), join(home, "config/connection.ini"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(home, "config", name), text);
  const program = join(INSTALLED, "Haraka/bin/haraka");
  const daemon = new Daemon(
    spawn(process.execPath, [program, "-c", home], {
      cwd: home,
      env: { ...process.env, ...(authority === null ? {} : { NODE_EXTRA_CA_CERTS: authority }) },
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
  // Asked to end, it waits for its clients.
  return mailServer(daemon, port, cleanup, { signal: "SIGKILL" });
}

const WAYS: readonly Way[] = [
  { name: "bridge", title: "plugin, bridge", asks: "line", file: "bridge.ini", codes: codesOfReply },
  { name: "edge", title: "plugin, edge", asks: "edge", file: "edge.ini", codes: codesOfReply },
];

const differences: readonly Difference[] = [
  {
    rows: ["foreign", "subdomain", "literal", "literal-elsewhere"],
    codes: "550",
    because:
      "the plugin leaves domains that `domains` does not name to other plugins, and Haraka refuses them",
  },
  {
    rows: ["long-domain", "long-listed", "long-unknown", "verp-bounce", "verp-long"],
    codes: "501",
    because: "Haraka refuses local parts of more than 64 octets before it asks a plugin",
  },
  {
    rows: [
      "bare",
      "dot-first",
      "dot-last",
      "dots-two",
      "dots-listed",
      "trailing-dot",
      "trailing-dot-unknown",
    ],
    codes: "501",
    because: "Haraka checks the syntax before it asks a plugin",
  },
];

const ROUTES = "haraka-plugin-recipient-routes";

/** The plugin of Haraka's makers for a list of recipients in a file. Haraka itself has only lists of hosts. */
const routes: LocalList = {
  name: "recipient-routes",
  title: "`recipient-routes`, file",
  ways: ["bridge", "edge"],
  missing: existsSync(join(INSTALLED, ROUTES)) ? null : `ROLLCALL_HARAKA has no ${ROUTES}`,
  start(domain, names) {
    const list = names.map((name) => `${name}@${domain}=192.0.2.10\n`).join("");
    const file = `[redis]\nenabled=false\n\n[routes]\n${list}`;
    return startHaraka({ plugins: "recipient-routes\n", "rcpt_to.routes.ini": file }, null);
  },
};

export const haraka: Rig = {
  name: "haraka",
  version() {
    const { version } = JSON.parse(readFileSync(join(INSTALLED, "Haraka/package.json"), "utf8")) as {
      version: string;
    };
    return `Haraka ${version}`;
  },
  ways: WAYS,
  differences,
  smtputf8: true,
  missing: WITHOUT_HARAKA,
  start(way, listeners, domains) {
    const { token, authority } = listeners.edge;
    const settings = settingsOf(way.file, listeners, domains);
    const files = { plugins: "rollcall\n", "rollcall.ini": settings, rollcall_token: `${token}\n` };
    return startHaraka(files, authority);
  },
  localLists: [routes],
};
