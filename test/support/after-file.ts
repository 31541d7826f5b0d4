const steps: (() => Promise<void>)[] = [];

/** Has something done after each test file of this worker: a module's own hook would only see the file that imports it first. */
export const afterFile = (step: () => Promise<void>): void => {
  steps.push(step);
};

/** Does all of them; `test/end-of-file.ts` calls it. */
export async function endOfFile(): Promise<void> {
  for (const step of steps) await step();
}
