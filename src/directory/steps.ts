/** Work that can be interrupted: each value says how many names were looked at since the one before. */
export type Steps<T> = Generator<number, T, void>;

/** The steps of work that is small enough for one. */
export const NO_STEPS: readonly number[] = [];

/** Does all of the work at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Does the work step by step. @param pause called after each, with its names; others may have their turn meanwhile */
export async function inSteps<T>(steps: Steps<T>, pause: (names: number) => Promise<void>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await pause(step.value);
  }
}

/** Does all of the work if that looks at no more than so many names; otherwise it only begins. @returns null then */
export function ifWithin<T>(names: number, steps: Steps<T>): { readonly value: T } | null {
  let left = names;
  for (;;) {
    const step = steps.next();
    if (step.done) return { value: step.value };
    left -= step.value;
    if (left < 0) return null;
  }
}

/** Names of one step, if nothing else divides the work. */
export const STEP_NAMES = 8_192;
