/** Haraka as `haraka --install` sets it up, with a server behind, its own network and a login. It has no users of its own. */
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Daemon } from "../../test/mta/support/daemon.ts";
import { type Host, LOGIN, NAME } from "../host.ts";
import { INSTALLED, installPlugin, WITHOUT_HARAKA } from "./rig.mts";

const HOME = "/etc/haraka";
const PROGRAM = join(INSTALLED, "Haraka/bin/haraka");

/** What haraka-plugin-relay does for the addresses in relay_acl_allow. */
const OWN_NETWORK = `exports.hook_connect = (next, connection) => {
  if (/^(127\\.|::1$)/.test(connection.remote.ip)) connection.relaying = true;
  next();
};
`;

let daemon: Daemon | null = null;

export const harakaHost: Host = {
  name: "haraka",
  ways: ["bridge.ini", "edge.ini"],
  missing: WITHOUT_HARAKA,
  isUnpacked: false,
  hasUsers: false,
  configuration: [`${HOME}/config`],
  submission: () => ({ port: 25, tls: false }),
  install() {
    execFileSync(process.execPath, [PROGRAM, "-i", HOME], { stdio: "ignore" });
    rmSync(`${HOME}/node_modules`, { recursive: true, force: true });
    installPlugin(HOME);
    const write = (name: string, text: string): void => writeFileSync(`${HOME}/config/${name}`, text);
    write("me", `${NAME}\n`);
    // The installation lists the host's name there, and all its recipients would go to the server behind.
    write("host_list", "");
    write("smtp_forward.ini", "host=192.0.2.10\nport=25\nenable_outbound=false\n");
    write("auth_flat_file.ini", `[core]\nmethods=PLAIN\n[users]\n${LOGIN.user}=${LOGIN.password}\n`);
    mkdirSync(`${HOME}/plugins`, { recursive: true });
    writeFileSync(`${HOME}/plugins/own_network.js`, OWN_NETWORK);
    // Optional packages are not installed here.
    const plugins = readFileSync(`${HOME}/config/plugins`, "utf8").replaceAll(/^mail_from\..*\n/gm, "");
    write("plugins", `own_network\nauth/flat_file\n${plugins}`);
  },
  paste(way, { url, checkToken }) {
    const lines = readFileSync(join(import.meta.dirname, way), "utf8");
    writeFileSync(`${HOME}/config/rollcall.ini`, lines.replace("https://rollcall.example.org", url));
    if (way === "edge.ini") writeFileSync(`${HOME}/config/rollcall_token`, `${checkToken}\n`);
    appendFileSync(`${HOME}/config/plugins`, "rollcall\n");
  },
  start() {
    const started = new Daemon(
      spawn(process.execPath, [PROGRAM, "-c", HOME], { cwd: HOME, stdio: ["ignore", "pipe", "pipe"] }),
    );
    daemon = started;
    return () => started.stop("SIGKILL");
  },
  logs: () => daemon?.output ?? "",
  differences: {},
};
