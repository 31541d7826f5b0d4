/** A published list: KV, the Registry's folder and the secrets, which outlive the edges that are begun on them. */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kv } from "./kv.ts";
import { DOMAIN, writeList } from "./lists.ts";
import { type Run, run } from "./processes.ts";
import { type EdgeSetting, root, type ServedEdge, serveEdge } from "./workerd.ts";

/** Copying to KV goes on behind the acknowledgement. */
const COPY_PATIENCE_MS = 600_000;

export class World {
  readonly kv: Kv;
  /** Where lists lie, and what the command keeps. */
  readonly folder: string;
  readonly masterKey = randomBytes(32).toString("base64url");
  readonly admin = randomBytes(24).toString("base64url");
  readonly #variables: Readonly<Record<string, string>>;

  readonly #remove = (): void => rmSync(this.folder, { recursive: true, force: true });

  private constructor(kv: Kv, variables: Readonly<Record<string, string>>) {
    this.kv = kv;
    process.once("exit", this.#remove);
    this.folder = mkdtempSync(join(tmpdir(), "rollcall-bench-world-"));
    mkdirSync(join(this.folder, "registry"));
    this.#variables = {
      ROLLCALL_MASTER_KEY: this.masterKey,
      ROLLCALL_ADMIN_TOKEN: this.admin,
      ...variables,
    };
  }

  /** @param variables of the Worker, besides its secrets */
  static async make(variables: Readonly<Record<string, string>> = {}): Promise<World> {
    return new World(await Kv.serve(), variables);
  }

  /** Begins an edge here: a new isolate that remembers nothing. */
  serve(setting: Omit<EdgeSetting, "ground"> = {}): Promise<ServedEdge> {
    const ground = { kv: this.kv.origin, registry: join(this.folder, "registry") };
    return serveEdge(this.#variables, { ...setting, ground });
  }

  /** Runs `rollcall` as a process, as anybody would. */
  rollcall(edge: ServedEdge, ...args: string[]): Promise<Run> {
    return run(process.execPath, [join(root, "bin/rollcall.js"), ...args], {
      cwd: this.folder,
      env: { ROLLCALL_URL: edge.origin, ROLLCALL_TOKEN: this.admin, XDG_STATE_HOME: this.folder },
    });
  }

  /** Writes a list of so many mailboxes. @returns its path */
  list(mailboxes: number): string {
    const path = join(this.folder, "list.txt");
    writeList(path, mailboxes);
    return path;
  }

  /** Publishes a list of the benchmark's domain and waits until KV has it. */
  async publish(edge: ServedEdge, list: string, ...args: string[]): Promise<Run> {
    const published = await this.rollcall(edge, "publish", "--domain", DOMAIN, list, "--yes", ...args);
    await this.untilCopied(edge);
    return published;
  }

  async untilCopied(edge: ServedEdge): Promise<void> {
    for (const end = Date.now() + COPY_PATIENCE_MS; Date.now() < end; ) {
      const response = await fetch(`${edge.origin}/v1/registry`, {
        headers: { Authorization: `Bearer ${this.admin}` },
      });
      const status = (await response.json()) as { partitions?: readonly { kv_pending: number }[] };
      if (status.partitions?.every(({ kv_pending }) => kv_pending === 0)) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error("the Registry did not get its heads into KV");
  }

  /** A token that may check. */
  async checkToken(edge: ServedEdge): Promise<string> {
    return (await this.rollcall(edge, "token", "create", "--role", "check")).output.trim();
  }

  async end(): Promise<void> {
    await this.kv.stop();
    process.off("exit", this.#remove);
    this.#remove();
  }
}

/** A world with one list in it. */
export interface Published {
  readonly world: World;
  readonly mailboxes: number;
  /** May check. */
  readonly token: string;
  /** What publishing cost, once. */
  readonly publishing: Run;
  /** KV writes of the publish, by kind. */
  readonly writes: Readonly<Record<string, number>>;
}

const worlds = new Map<number, Published>();

/** The world with a list of so many mailboxes: published once, shared by the suites that only read it. */
export async function publishedWorld(mailboxes: number, tell: (line: string) => void): Promise<Published> {
  const present = worlds.get(mailboxes);
  if (present !== undefined) return present;
  tell(`publishing ${mailboxes.toLocaleString("en")} mailboxes`);
  const world = await World.make();
  const edge = await world.serve();
  try {
    const list = world.list(mailboxes);
    await world.kv.reset();
    const publishing = await world.publish(edge, list);
    const { writes } = await world.kv.counts();
    const token = await world.checkToken(edge);
    const published = { world, mailboxes, token, publishing, writes };
    worlds.set(mailboxes, published);
    return published;
  } finally {
    await edge.stop();
  }
}

/** Ends all of {@link publishedWorld}. */
export async function endWorlds(): Promise<void> {
  for (const { world } of worlds.values()) await world.end();
  worlds.clear();
}
