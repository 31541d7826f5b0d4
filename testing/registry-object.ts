import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { RegistryStorage, SqlRow } from "../src/registry/ports.ts";
import { migrate } from "../src/registry/storage/schema.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** A platform alarm that throws is run again so often, and then no more. */
const ALARM_RETRIES = 6;

export interface RegistryObjectParts {
  readonly clock: VirtualTime;
  /** What the alarm does in the present life. If it throws, the platform runs it again. */
  alarm(): Promise<void>;
  /** Milliseconds by which an alarm that is asked for comes late. */
  alarmDelay(): number;
}

/**
 * The object that a Registry lives in, as the platform gives it: SQLite in memory, which outlives it, one alarm, and
 * lives that end between any two awaits. A handle of an earlier life reads and writes no more.
 */
export class RegistryObject {
  readonly #parts: RegistryObjectParts;
  /** Octets of its storage, as the platform counts them. */
  size = 0;
  #database = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, StatementSync>();
  #life = 0;
  #transactions = 0;
  #alarmAt: number | null = null;
  #isAlarmRunning = false;
  #isClosed = false;

  constructor(parts: RegistryObjectParts) {
    this.#parts = parts;
    migrate(this.storage());
  }

  /** Counts restarts. */
  get life(): number {
    return this.#life;
  }

  /** When its alarm is to come, null if none was asked for. */
  get alarmAt(): number | null {
    return this.#alarmAt;
  }

  /** Asks its storage directly. */
  sql(statement: string, ...bindings: (string | number)[]): SqlRow[] {
    return this.storage().sql(statement, ...bindings);
  }

  /** The object is reset: what is under way is cut off, storage stays. */
  restart(): void {
    this.#life++;
    if (!this.#isAlarmRunning) return;
    // The platform runs an alarm again that did not come to its end.
    this.#isAlarmRunning = false;
    this.#setAlarm(this.#parts.clock.now());
  }

  /** Another object takes its place, with nothing in its storage. */
  wipe(): void {
    this.#life++;
    this.#isAlarmRunning = false;
    this.#alarmAt = null;
    this.#statements.clear();
    this.#database.close();
    this.#database = new DatabaseSync(":memory:");
    migrate(this.storage());
  }

  close(): void {
    this.#life++;
    this.#isClosed = true;
    this.#database.close();
  }

  /** Its storage, as long as the present life lasts. */
  storage(): RegistryStorage {
    const life = this.#life;
    const alive = (): void => {
      if (life !== this.#life) throw new Error("this object was reset");
    };
    return {
      sql: (statement, ...bindings) => {
        alive();
        let prepared = this.#statements.get(statement);
        if (prepared === undefined) {
          prepared = this.#database.prepare(statement);
          this.#statements.set(statement, prepared);
        }
        return prepared.all(...bindings) as unknown as SqlRow[];
      },
      transaction: (work) => {
        alive();
        const alarmBefore = this.#alarmAt;
        // Transactions nest, as those of the platform do.
        const point = `point${this.#transactions++}`;
        this.#database.exec(`SAVEPOINT ${point}`);
        try {
          const result = work();
          this.#database.exec(`RELEASE ${point}`);
          return result;
        } catch (error) {
          this.#database.exec(`ROLLBACK TO ${point}`);
          this.#database.exec(`RELEASE ${point}`);
          if (alarmBefore === null) this.#alarmAt = null;
          else if (this.#alarmAt !== alarmBefore) this.#setAlarm(alarmBefore);
          throw error;
        } finally {
          this.#transactions--;
        }
      },
      size: () => this.size,
      setAlarm: (time) => {
        alive();
        this.#setAlarm(time);
      },
    };
  }

  #setAlarm(time: number): void {
    this.#alarmAt = time;
    this.#parts.clock.at(time + this.#parts.alarmDelay(), () => {
      if (this.#alarmAt === time) void this.#runAlarm();
    });
  }

  async #runAlarm(): Promise<void> {
    // One at a time: a next one waits until this one has ended.
    if (this.#isAlarmRunning || this.#isClosed) return;
    const life = this.#life;
    this.#alarmAt = null;
    this.#isAlarmRunning = true;
    for (let attempt = 0; attempt <= ALARM_RETRIES && life === this.#life; attempt++) {
      try {
        await this.#parts.alarm();
        break;
      } catch {
        await this.#parts.clock.sleep(2_000 * 2 ** attempt);
      }
    }
    if (life !== this.#life) return;
    this.#isAlarmRunning = false;
    if (this.#alarmAt !== null) this.#setAlarm(this.#alarmAt);
  }
}
