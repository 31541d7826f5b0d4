import type { FaultKind } from "../api/index.ts";
import {
  type Answer,
  type DomainKey,
  deriveDomainKey,
  type Mac,
  partitionOf,
  rosterMac,
  tokenKeyId,
  tokenMac,
} from "../directory/index.ts";
import { type AskedName, type Observer, Reader, Tally } from "../reader/index.ts";
import type { Settings } from "./environment.ts";
import { FaultLog } from "./fault-log.ts";
import { LargeBodies } from "./large-bodies.ts";
import type { Ports } from "./ports.ts";
import { type Bindings, RequestContext, type Taking } from "./request-context.ts";

/** What an isolate builds from its settings, once. All of its requests share it. */
export class Deployment implements Observer {
  readonly settings: Settings;
  readonly ports: Ports;
  readonly reader: Reader;
  readonly largeBodies: LargeBodies;
  readonly tokenMac: Mac;
  /** Id of the key that tokens are made under. */
  readonly tokenKeyId: string;
  readonly keyFor: (domain: string, epoch: number) => DomainKey;
  readonly #tally = new Tally();
  readonly #taking: Taking = {
    take: () => this.#tally.take(),
    // Another partition's Registry could not judge them.
    takeAsked: (partition) => {
      const { hashing } = this.ports;
      const { partitions } = this.settings;
      return this.#tally.takeAsked((domain) => partitionOf(hashing, domain, partitions) === partition);
    },
  };
  readonly #faultLog: FaultLog;

  constructor(settings: Settings, ports: Ports) {
    const { masterKey } = settings;
    const { clock, timers, hashing } = ports;
    this.settings = settings;
    this.ports = ports;
    this.#faultLog = new FaultLog(ports);
    this.largeBodies = new LargeBodies(clock, timers);
    this.tokenMac = tokenMac(hashing, masterKey);
    this.tokenKeyId = tokenKeyId(hashing, masterKey);
    this.keyFor = (domain, epoch) => deriveDomainKey(hashing, masterKey, domain, epoch);
    const { keyFor } = this;
    const readerPorts = {
      clock,
      timers,
      hashing,
      keyFor,
      rosterMac: rosterMac(hashing, masterKey),
      observer: this,
    };
    this.reader = new Reader(settings, readerPorts);
  }

  now(): number {
    return this.ports.clock.now();
  }

  /** What one request of this isolate may use. */
  contextOf(bindings: Bindings): RequestContext {
    return new RequestContext(bindings, this.now(), this.#taking);
  }

  answered(answer: Answer, domain: string | null, names?: readonly AskedName[]): void {
    this.#tally.countAnswer(answer, domain);
    this.#tally.countNames(names);
  }

  fault(kind: FaultKind, domain: string | null, detail: string): void {
    this.#tally.countFault(kind, domain);
    this.#faultLog.write(kind, domain, detail);
  }
}
