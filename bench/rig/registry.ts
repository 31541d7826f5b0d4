/** Calls of the Registry that an instrumented edge has counted. */
interface Calls {
  readonly begun: number;
  /** Those that are over; with a delay, what somebody may have waited for. */
  readonly answered: number;
}

/** @param origin of an edge that was begun with a `registryDelay` */
export async function registryCalls(origin: string, which: keyof Calls): Promise<number> {
  const response = await fetch(`${origin}/bench/registry-calls`);
  if (!response.ok) throw new Error("this edge does not count calls of the Registry");
  return ((await response.json()) as Calls)[which];
}
