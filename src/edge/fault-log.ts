import type { FaultKind } from "../api/index.ts";
import type { FaultLine, Ports } from "./ports.ts";

/** One line a minute for each kind and domain. */
const PAUSE = 60_000;
/** Pairs of kind and domain that get separate lines. Past this limit, only kinds do. */
const MAX_PAIRS = 200;
const MAX_DETAIL = 1_000;

interface Series {
  /** Unix milliseconds. */
  writtenAt: number;
  /** Faults since then. */
  count: number;
}

type FaultLogPorts = Pick<Ports, "clock"> & { readonly log?: (line: FaultLine) => void };

/** Writes faults to the operator's log, and limits the lines. */
export class FaultLog {
  readonly #ports: FaultLogPorts;
  readonly #series = new Map<string, Series>();

  constructor(ports: FaultLogPorts) {
    this.#ports = ports;
  }

  /** @param domain one that has a list here, or null; never a domain that only a client named */
  write(kind: FaultKind, domain: string | null, detail: string): void {
    const now = this.#ports.clock.now();
    const series = this.#find(`${kind} ${domain}`) ?? this.#find(kind);
    if (series === undefined) return;
    series.count++;
    if (now < series.writtenAt + PAUSE && now >= series.writtenAt) return;
    const { count } = series;
    series.writtenAt = now;
    series.count = 0;
    this.#ports.log?.({ event: "fault", kind, domain, detail: detail.slice(0, MAX_DETAIL), count });
  }

  #find(name: string): Series | undefined {
    let series = this.#series.get(name);
    if (series === undefined && (this.#series.size < MAX_PAIRS || !name.includes(" "))) {
      series = { writtenAt: Number.NEGATIVE_INFINITY, count: 0 };
      this.#series.set(name, series);
    }
    return series;
  }
}
