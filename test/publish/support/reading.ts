/** Reads sources as the command opens them, and shows what they read. */
import * as v from "valibot";
import { expect } from "vitest";
import {
  openSources,
  PublishError,
  SOURCE_SETTINGS,
  type Source,
  type SourceHost,
} from "../../../src/publish/index.ts";

/** Sleeps that end when the test says so, or when they are aborted. */
export class Sleeps {
  readonly waiting: { readonly ms: number; end(): void }[] = [];

  readonly sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      this.waiting.push({ ms, end: resolve });
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
}

/** A host whose relative paths start at `folder`, and whose timers never end by themselves. */
export const hostOf = (folder: string, more: Partial<SourceHost> = {}): Omit<SourceHost, "shown"> => ({
  domain: "example.com",
  env: { PATH: process.env.PATH },
  sleep: new Sleeps().sleep,
  fetch: () => expect.fail("the network was used"),
  path: (text) => (text.startsWith("/") ? text : `${folder}/${text}`),
  ...more,
});

/** Opens one source. @param settings as in rollcall.toml */
export const openOne = (
  settings: Readonly<Record<string, unknown>>,
  host: Omit<SourceHost, "shown">,
): Source => openSources([{ shown: "source hr", settings: v.parse(SOURCE_SETTINGS, settings) }], host);

/** What a source reads, a line each: `LINE address state` or `LINE ! reason`. */
export async function linesOf(source: Source, signal = new AbortController().signal): Promise<string[]> {
  const seen: string[] = [];
  await source.read(
    {
      entry: (line, address, state) => seen.push(`${line} ${address} ${state}`),
      fault: (line, reason) => seen.push(`${line} ! ${reason}`),
    },
    signal,
  );
  return seen;
}

/** The error with which a publish is refused. */
export async function refusal(work: () => unknown): Promise<PublishError> {
  try {
    await work();
  } catch (error) {
    expect(error).toBeInstanceOf(PublishError);
    return error as PublishError;
  }
  return expect.fail("nothing was thrown");
}
