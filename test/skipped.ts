/** Names what `npm test` skips: vitest only counts it. */
import type { Reporter, TestModule, Vitest } from "vitest/node";

export class Skipped implements Reporter {
  #isPart = false;

  onInit({ config }: Vitest): void {
    // `-t` skips what it does not name.
    this.#isPart = config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (this.#isPart) return;
    for (const { relativeModuleId, children } of modules)
      for (const { fullName } of children.allTests("skipped"))
        console.log(`skipped: ${relativeModuleId} > ${fullName}`);
  }
}
