/** A deployment: KV, the Registry's folder and the secrets, which outlive the edges that are started on them. */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pause, until } from "../../test/mta/support/waiting.ts";
import type { Tell } from "../report/measurement.ts";
import { type ByKind, Kv } from "./kv.ts";
import { DOMAIN, writeList } from "./lists.ts";
import { type Folder, type Run, root, run, type Started, temporaryFolder } from "./processes.ts";
import { type EdgeSetting, type ServedEdge, serveEdge, serveKvWorker } from "./workerd.ts";

/** Copying to KV goes on after the acknowledgement. */
const COPY_TIMEOUT_MS = 600_000;

export class World implements AsyncDisposable {
  readonly kv: Kv;
  readonly masterKey = randomBytes(32).toString("base64url");
  readonly admin = randomBytes(24).toString("base64url");
  /** For lists, and for what the command keeps. */
  readonly folder: string;
  readonly #folder: Folder = temporaryFolder();
  readonly #kv: Started;
  readonly #variables: Readonly<Record<string, string>>;

  private constructor(
    kv: Started & { readonly origin: string },
    variables: Readonly<Record<string, string>>,
  ) {
    this.#kv = kv;
    this.kv = new Kv(kv.origin);
    this.folder = this.#folder.path;
    mkdirSync(this.registryFolder);
    const secrets = { ROLLCALL_MASTER_KEY: this.masterKey, ROLLCALL_ADMIN_TOKEN: this.admin };
    this.#variables = { ...secrets, ...variables };
  }

  /** @param variables of the Worker, besides its secrets */
  static async make(variables: Readonly<Record<string, string>> = {}): Promise<World> {
    return new World(await serveKvWorker(), variables);
  }

  get registryFolder(): string {
    return join(this.folder, "registry");
  }

  /** Starts an edge here: a new isolate that remembers nothing. */
  serve(setting: EdgeSetting = {}): Promise<ServedEdge> {
    return serveEdge(this.#variables, this.kv.origin, this.registryFolder, setting);
  }

  /** Runs `rollcall` as a process. */
  rollcall(edge: Pick<ServedEdge, "origin">, ...args: string[]): Promise<Run> {
    return this.rollcallOn(process.execPath, edge, args);
  }

  /** Runs `rollcall` as a process of another Node. */
  rollcallOn(
    node: string,
    { origin }: Pick<ServedEdge, "origin">,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Run> {
    return run(node, [join(root, "bin/rollcall.js"), ...args], {
      cwd: this.folder,
      env: { ...env, ROLLCALL_URL: origin, ROLLCALL_TOKEN: this.admin, XDG_STATE_HOME: this.folder },
    });
  }

  /** Writes a list of so many mailboxes. @returns its path */
  list(mailboxes: number, domain = DOMAIN): string {
    const path = join(this.folder, `${domain}.txt`);
    writeList(path, mailboxes, domain);
    return path;
  }

  /** Publishes a list and waits until it is in KV. */
  async publish(edge: ServedEdge, list: string, domain = DOMAIN): Promise<Run> {
    const published = await this.rollcall(edge, "publish", "--domain", domain, list, "--enforce", "--yes");
    await this.untilCopied(edge);
    return published;
  }

  async untilCopied(edge: ServedEdge): Promise<void> {
    const isCopied = async (): Promise<boolean> => {
      const status = JSON.parse(await this.api(edge, "/v1/registry")) as {
        readonly partitions?: readonly { readonly kv_pending: number }[];
      };
      const isDone = status.partitions?.every(({ kv_pending }) => kv_pending === 0) ?? false;
      // The Registry copies and answers in one thread.
      if (!isDone) await pause(100);
      return isDone;
    };
    await until("the Registry's heads are in KV", isCopied, COPY_TIMEOUT_MS);
  }

  /** Asks the edge's API as the administrator. @returns the body of the answer */
  async api({ origin }: ServedEdge, path: string, method = "GET"): Promise<string> {
    const headers = { Authorization: `Bearer ${this.admin}` };
    const response = await fetch(`${origin}${path}`, { method, headers });
    const body = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${body}`);
    return body;
  }

  /** A token that may check. */
  checkToken = async (edge: ServedEdge): Promise<string> =>
    (await this.rollcall(edge, "token", "create", "--role", "check", "--all-domains")).output.trim();

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kv[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

/** A world with one list in it. */
export interface Published {
  readonly world: World;
  readonly mailboxes: number;
  /** May check. */
  readonly token: string;
  /** What publishing cost. */
  readonly publishing: Run;
  /** KV writes of the publish. */
  readonly writes: ByKind;
}

const worlds = new Map<number, Published>();

/** The world with a list of so many mailboxes: published once, shared by the suites that only read it. */
export async function publishedWorld(mailboxes: number, tell: Tell): Promise<Published> {
  const present = worlds.get(mailboxes);
  if (present !== undefined) return present;
  tell(`publishing ${mailboxes.toLocaleString("en")} mailboxes`);
  const world = await World.make();
  await using edge = await world.serve();
  const list = world.list(mailboxes);
  await world.kv.reset();
  const publishing = await world.publish(edge, list);
  const { writes } = await world.kv.counts();
  const published = { world, mailboxes, token: await world.checkToken(edge), publishing, writes };
  worlds.set(mailboxes, published);
  return published;
}

/** Ends all of {@link publishedWorld}. */
export async function endWorlds(): Promise<void> {
  for (const { world } of worlds.values()) await world[Symbol.asyncDispose]();
  worlds.clear();
}
