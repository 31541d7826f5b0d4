import { VirtualTime } from "../../test/world/clock.ts";

/** When every world begins. */
export const BEGINNING = Date.UTC(2026, 0, 1);

/** Virtual time of one world, with moments told from its beginning. */
export class Time extends VirtualTime {
  constructor() {
    super(BEGINNING);
  }

  /** Milliseconds since the beginning. */
  get elapsed(): number {
    return this.now() - BEGINNING;
  }

  after(ms: number, action: () => void): void {
    this.at(this.now() + ms, action);
  }
}
