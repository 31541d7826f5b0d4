import { VirtualTime } from "./clock.ts";

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

  /** Clocks of the platform show whole milliseconds. */
  override at(time: number, action: () => void): () => void {
    return super.at(Math.round(time), action);
  }

  after(ms: number, action: () => void): void {
    this.at(this.now() + ms, action);
  }
}
