import type { Clock, Nap, Timers } from "../src/runtime/ports.ts";

/** Something that is to happen at a moment. */
interface Event {
  readonly time: number;
  /** Events of one moment come in the order in which they were asked for. */
  readonly turn: number;
  readonly action: () => void;
  isOff: boolean;
}

/** When every world starts. */
export const START_OF_WORLD = Date.UTC(2026, 0, 1);

/**
 * Time that moves only when it is told to: the clock and the timers of a whole world. Between two events all that
 * can go on does go on, and takes no time.
 */
export class VirtualTime implements Clock, Timers {
  #now = START_OF_WORLD;
  #turns = 0;
  /** A binary heap, the next event first. */
  readonly #events: Event[] = [];

  now(): number {
    return this.#now;
  }

  /** Milliseconds since the start of the world. */
  get elapsed(): number {
    return this.#now - START_OF_WORLD;
  }

  sleep(ms: number, nap?: Nap): Promise<void> {
    return new Promise((resolve) => {
      const callOff = this.at(this.#now + ms, resolve);
      if (nap !== undefined) nap.cancel = callOff;
    });
  }

  /** Has `action` happen at `time`, or at once if that is over. @returns how to call it off */
  at(time: number, action: () => void): () => void {
    // Clocks of the platform show whole milliseconds.
    const event = { time: Math.max(Math.round(time), this.#now), turn: this.#turns++, action, isOff: false };
    this.#push(event);
    return () => {
      event.isOff = true;
    };
  }

  /** Has `action` happen in `ms`. @returns how to call it off */
  after(ms: number, action: () => void): () => void {
    return this.at(this.#now + ms, action);
  }

  /** Lets everything go on that waits for nothing but its turn. */
  settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Moves time on by `ms`, with all that happens until then. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.settle();
    while (this.#nextTime() <= end) {
      this.#next();
      await this.settle();
    }
    this.#now = end;
  }

  /** Moves time on until `work` has settled. @throws Error if it takes more than `limit` milliseconds */
  async run<T>(work: Promise<T>, limit = 60_000): Promise<T> {
    const end = this.#now + limit;
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    work.then(settled, settled);
    for (;;) {
      await this.settle();
      if (isSettled) return work;
      if (this.#nextTime() > end) {
        throw new Error(`nothing came of it within ${limit} ms`);
      }
      this.#next();
    }
  }

  #nextTime(): number {
    while (this.#events[0]?.isOff) this.#pop();
    return this.#events[0]?.time ?? Number.POSITIVE_INFINITY;
  }

  #next(): void {
    const event = this.#pop();
    this.#now = event.time;
    event.action();
  }

  #push(event: Event): void {
    const heap = this.#events;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!comesBefore(heap[at] as Event, heap[above] as Event)) return;
      swap(heap, at, above);
      at = above;
    }
  }

  #pop(): Event {
    const heap = this.#events;
    const first = heap[0] as Event;
    const last = heap.pop() as Event;
    if (heap.length > 0) {
      heap[0] = last;
      for (let at = 0; ; ) {
        const below = [2 * at + 1, 2 * at + 2].filter((child) => child < heap.length);
        const [left, right] = below;
        if (left === undefined) break;
        const child =
          right !== undefined && comesBefore(heap[right] as Event, heap[left] as Event) ? right : left;
        if (!comesBefore(heap[child] as Event, heap[at] as Event)) break;
        swap(heap, at, child);
        at = child;
      }
    }
    return first;
  }
}

const comesBefore = (a: Event, b: Event): boolean =>
  a.time < b.time || (a.time === b.time && a.turn < b.turn);

function swap(heap: Event[], a: number, b: number): void {
  const event = heap[a] as Event;
  heap[a] = heap[b] as Event;
  heap[b] = event;
}
