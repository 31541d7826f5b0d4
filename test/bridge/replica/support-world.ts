import type { TokenCreated } from "../../../src/api/index.ts";
import { BridgeHost } from "../../../testing/bridge-host.ts";
import type { IsolateHost } from "../../../testing/isolate-host.ts";
import type { MemoryDisk } from "../../../testing/memory-disk.ts";
import { ReplicaHost } from "../../../testing/replica-host.ts";
import { DAY, must, type PublishOptions, SECOND, World } from "../../../testing/world.ts";

export interface HostOptions {
  /** Of its token; null: all. */
  readonly domains?: readonly string[] | null;
  /** Domains that the replica holds; all of the token's by default. */
  readonly scope?: readonly string[];
  readonly acceptGrace?: number;
  readonly disk?: MemoryDisk;
  readonly maxUnwritten?: number;
  readonly seed?: number;
  /** Whether another bridge uses its folder. */
  readonly isFolderBusy?: boolean;
}

/** A world with one isolate, and mail hosts whose way to it can be cut. */
export class ReplicaWorld extends World {
  edge: IsolateHost = this.isolate();
  isAway = false;
  /** Requests that hosts sent, as `GET /v1/…`. */
  readonly requests: string[] = [];
  /** Changes what the edge answers; null: nothing. */
  tamper: (path: string, response: Response) => Response | Promise<Response> = (_, response) => response;

  publishHere(domain: string, list: readonly string[], options?: PublishOptions): Promise<number> {
    return this.publish(this.edge, domain, list, options);
  }

  /** The Registry loses its storage, and KV the roster: another log begins, which lists nothing. */
  loseRegistry(): void {
    this.replaceRegistry();
    this.kv.set("roster/0", null);
    this.edge = this.isolate();
  }

  async token(domains: readonly string[] | null): Promise<string> {
    const { body } = await must(this.edge.call("/v1/tokens", { json: { role: "replica", domains } }));
    return (body as TokenCreated).token;
  }

  /** A mail host with a token for these domains; its bridge is not started. */
  async host({ domains = ["a.example"], ...rest }: HostOptions = {}): Promise<ReplicaHost> {
    return new ReplicaHost({
      time: this.clock,
      token: await this.token(domains),
      network: async (request) => {
        const { pathname } = new URL(request.url);
        this.requests.push(`${request.method} ${pathname}`);
        if (this.isAway) throw new TypeError("fetch failed");
        return this.tamper(pathname, await this.edge.fetch(request));
      },
      ...rest,
    });
  }
}

/** The bridge of a mail host with a replica, as the host starts it. */
export const bridgeOf = (world: ReplicaWorld, host: ReplicaHost): BridgeHost<unknown> =>
  new BridgeHost({
    time: world.clock,
    fetch: () => (url, init) => host.network(new Request(url, init)),
    token: () => host.token,
    replica: host.lists,
    acceptGrace: 7 * DAY,
    cacheBytes: 1_000_000,
    answered: () => undefined,
    met: () => undefined,
  });

/** A mail host whose bridge is asked about recipients. */
export class AskedHost {
  readonly world: ReplicaWorld;
  readonly host: ReplicaHost;
  #bridge: BridgeHost<unknown>;

  private constructor(world: ReplicaWorld, host: ReplicaHost) {
    this.world = world;
    this.host = host;
    this.#bridge = bridgeOf(world, host);
  }

  static async start(world: ReplicaWorld, options: HostOptions = {}): Promise<AskedHost> {
    const asked = new AskedHost(world, await world.host(options));
    asked.host.isFolderBusy = options.isFolderBusy ?? false;
    await asked.#start();
    return asked;
  }

  /** Its process ends and starts again, with what is on its disk. */
  async restart(): Promise<void> {
    this.host.kill();
    await this.#start();
  }

  /** Reply code and where it came from. */
  async said(recipient: string): Promise<string> {
    const { answer, source } = await this.world.clock.run(Promise.resolve(this.#bridge.resolve(recipient)));
    return `${answer.reply.slice(0, 3)} ${source}`;
  }

  async #start(): Promise<void> {
    await this.host.start();
    this.#bridge = bridgeOf(this.world, this.host);
    await this.world.clock.advance(2 * SECOND);
  }
}

/** The verdict, and whether it was confirmed; `edge` if the replica leaves the answer to the edge. */
export async function saidBy(host: ReplicaHost, recipient: string): Promise<string> {
  const answer = await host.check(recipient);
  if (answer === null || answer.verdict === "unavailable") return "edge";
  return `${answer.verdict}${answer.confirmed_age === null ? "" : " confirmed"}`;
}
