import { Problem } from "../problem.ts";
import { connectFault, type User } from "./access.ts";
import type { ListenerSetting, MailHostPorts, SocketAddress } from "./ports.ts";

/** One place where Postfix asks the bridge. */
export interface PostfixUse {
  /** The setting of main.cf, or the service of master.cf. */
  readonly setting: string;
  /** As Postfix writes it, such as `socketmap:inet:127.0.0.1:10023:recipients`. */
  readonly table: string;
  readonly protocol: "socketmap" | "tcp" | "policy";
  /** What a table is asked about: `recipients`, `domains` or `access`; null for the policy service. */
  readonly map: string | null;
  readonly address: SocketAddress;
}

/** What is known of the Postfix of this host. */
export interface Postfix {
  readonly queueDirectory: string;
  readonly user: User;
  /** Whether any smtpd runs in a chroot. */
  readonly isChrooted: boolean;
  readonly uses: readonly PostfixUse[];
}

/** Reads Postfix's configuration with its own tools. @returns null if Postfix is not installed */
export async function readPostfix({
  run,
  listeners,
}: Pick<MailHostPorts, "run" | "listeners">): Promise<Postfix | null> {
  const settings = await run("postconf", ["-n"]);
  if (settings === null || /main\.cf: No such file/.test(settings.stderr)) return null;
  if (settings.code !== 0)
    throw new Problem(`postconf fails: ${settings.stderr.trim()}`, "run `postfix check`");
  const [queueDirectory = "", owner = ""] = (await linesOf(run, [
    "-h",
    "queue_directory",
    "mail_owner",
  ])) as string[];
  const services = await linesOf(run, ["-M"]);
  const overrides = await linesOf(run, ["-P"]);
  return {
    queueDirectory,
    user: await userOf(run, owner),
    isChrooted: services.some((line) => {
      // service type private unpriv chroot wakeup maxproc command
      const fields = line.split(/\s+/);
      return fields[7] === "smtpd" && fields[4] === "y";
    }),
    uses: [...logicalLines(settings.stdout), ...overrides].flatMap((line) =>
      usesOf(line, { queueDirectory, listeners }),
    ),
  };
}

async function linesOf(run: MailHostPorts["run"], args: readonly string[]): Promise<string[]> {
  const result = await run("postconf", args);
  return (result?.stdout ?? "").split("\n").filter((line) => line !== "");
}

async function userOf(run: MailHostPorts["run"], name: string): Promise<User> {
  const [uid, gids] = [await run("id", ["-u", name]), await run("id", ["-G", name])];
  return {
    name,
    uid: Number(uid?.stdout ?? Number.NaN),
    gids: (gids?.stdout ?? "").trim().split(" ").map(Number),
  };
}

/** A line that begins with a space continues the one before. */
const logicalLines = (text: string): string[] => text.replaceAll(/\n[ \t]+/g, " ").split("\n");

function usesOf(
  line: string,
  {
    queueDirectory,
    listeners,
  }: { readonly queueDirectory: string; readonly listeners: readonly ListenerSetting[] },
): PostfixUse[] {
  const [, setting = "", value = ""] = /^(\S+)\s*=\s*(.*)$/.exec(line) ?? [];
  const uses: PostfixUse[] = [];
  for (const [table, endpoint = "", map = ""] of value.matchAll(
    /socketmap:((?:inet|unix):[^\s,]+):(\w+)(?=[\s,]|$)/g,
  )) {
    const address = addressOf(endpoint, queueDirectory);
    if (address !== null && ["recipients", "domains", "access"].includes(map)) {
      uses.push({ setting, table, protocol: "socketmap", map, address });
    }
  }
  for (const [table, endpoint = ""] of value.matchAll(/(?<![^\s,=])tcp:([^\s,]+:\d+)(?=[\s,]|$)/g)) {
    const address = addressOf(`inet:${endpoint}`, queueDirectory);
    const isOurs = listeners.some((each) => each.name === "tcp" && isSame(each.address, address));
    if (address !== null && isOurs) {
      const map = setting.endsWith("_domains") ? "domains" : "recipients";
      uses.push({ setting, table, protocol: "tcp", map, address });
    }
  }
  for (const [, , endpoint = ""] of value.matchAll(
    /(check_policy_service\s+(?:\{\s*)?)((?:inet|unix):[^\s,}]+)/g,
  )) {
    const address = addressOf(endpoint, queueDirectory);
    // Policy services of other programs are none of ours.
    const isOurs = listeners.some((each) => each.name === "policy" && isSame(each.address, address));
    if (address !== null && isOurs) {
      uses.push({
        setting,
        table: `check_policy_service ${endpoint}`,
        protocol: "policy",
        map: null,
        address,
      });
    }
  }
  return uses;
}

function addressOf(endpoint: string, queueDirectory: string): SocketAddress | null {
  const [, path] = /^unix:(.+)$/.exec(endpoint) ?? [];
  if (path !== undefined)
    return { kind: "unix", path: path.startsWith("/") ? path : `${queueDirectory}/${path}` };
  const [, host = "", port] = /^inet:(.+):(\d+)$/.exec(endpoint) ?? [];
  return port === undefined ? null : { kind: "tcp", host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

const HOSTS: Readonly<Record<string, string>> = { localhost: "127.0.0.1" };

const isSame = (a: SocketAddress, b: SocketAddress | null): boolean => {
  if (a.kind === "unix" || b?.kind !== "tcp")
    return b?.kind === "unix" && a.kind === "unix" && a.path === b.path;
  return a.port === b.port && a.host === (HOSTS[b.host] ?? b.host);
};

/** Whether Postfix asks the bridge at all, and where. */
export function examineUses({ uses }: Postfix, listeners: readonly ListenerSetting[]): string {
  if (uses.length === 0) {
    throw new Problem(
      "Postfix does not ask the bridge: no setting names a socketmap or a tcp table of it, or its policy service",
      "add the lines of docs/mta/postfix.md to main.cf, and run `postfix reload`",
    );
  }
  for (const use of uses) {
    const isServed = listeners.some(
      (each) => each.name === use.protocol && isSame(each.address, use.address),
    );
    if (isServed || listeners.length === 0) continue;
    throw new Problem(
      `${use.setting} asks ${use.table}, where the bridge does not listen for ${use.protocol}`,
      `set ${use.protocol} in [bridge] to that address, or correct ${use.setting}`,
    );
  }
  return uses.map(({ setting, table }) => `${setting}: ${table}`).join("; ");
}

/** Whether Postfix's processes can reach each unix socket: permissions and chroot. */
export function examineSockets({ uses, user, isChrooted, queueDirectory }: Postfix): string {
  const paths = uses.flatMap(({ address }) => (address.kind === "unix" ? [address.path] : []));
  if (paths.length === 0) return "Postfix uses TCP";
  for (const path of new Set(paths)) {
    if (isChrooted && !path.startsWith(`${queueDirectory}/`)) {
      throw new Problem(
        `smtpd runs in a chroot and cannot see ${path}`,
        `let the bridge listen below ${queueDirectory}, such as unix:${queueDirectory}/rollcall/socketmap, or on loopback`,
      );
    }
    const fault = connectFault(path, user);
    if (fault !== null) throw new Problem(`${path}: ${fault.why}`, fault.fix);
  }
  return `the user ${user.name} can connect${isChrooted ? ", from the chroot, too" : ""}`;
}

/**
 * What Postfix's own `postmap -q` gets: the postmaster exists, and a name that nobody has does not.
 * @param domain one of the token's; null if there is none
 */
export async function examineLookups(
  { uses, queueDirectory }: Postfix,
  { run, random }: Pick<MailHostPorts, "run" | "random">,
  domain: string | null,
): Promise<string> {
  const maps = uses.filter(({ protocol }) => protocol !== "policy");
  if (maps.length === 0) return "Postfix uses the policy service only, which postmap cannot ask";
  if (domain === null) throw new Problem("there is no list to ask about", "publish one: `rollcall publish`");
  const nobody = `rollcall-doctor-${Buffer.from(random).toString("hex")}@${domain}`;
  const seen: string[] = [];
  for (const { table, map } of maps) {
    const asked = map === "domains" ? [domain] : [`postmaster@${domain}`, nobody];
    for (const key of asked) {
      const result = await run("postmap", ["-q", key, table], { cwd: queueDirectory });
      const answer = result?.stdout.trim() ?? "";
      // Exit code 1 alone: not found. Warnings may concern any line of main.cf.
      const isFault =
        result === null || result.code === null || /\b(?:fatal|error|panic): /.test(result.stderr);
      const isDeferred = /^4\d\d /.test(answer);
      if (isFault || isDeferred) {
        throw new Problem(
          `postmap -q ${key} ${table}: ${isDeferred ? answer : (result?.stderr.trim().split("\n").at(-1) ?? "cannot be run")}`,
          "see the steps above, and the log of the bridge: journalctl -u rollcall-bridge",
        );
      }
      seen.push(`${map} ${key === nobody ? "(a name that nobody has)" : key}: ${answer || "not found"}`);
    }
  }
  return seen.join("; ");
}
