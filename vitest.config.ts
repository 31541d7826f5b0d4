import { availableParallelism } from "node:os";
import { join } from "node:path";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import type { ProjectConfig } from "vitest/node";
import { SHARED, sharedTests, WaitingFirst } from "./test/order.ts";
import { Skipped } from "./test/skipped.ts";

/** Workers load the same packages again and again: Node keeps what it compiled. */
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "node_modules", ".cache", "node");

const SHARED_TESTS = sharedTests();

const node = {
  environment: "node" as const,
  setupFiles: ["./test/seed.ts", "./test/end-of-file.ts"],
  // Long enough for a busy machine: a slow test is not a wrong one.
  testTimeout: 300_000,
  hookTimeout: 300_000,
  // What is waited for must happen; Vitest's default is one second.
  expect: { poll: { timeout: 120_000 } },
};

/** Files that wait for real time, or that restart the Registry: each has a workerd of its own. */
const ALONE = ["brake", "restored"].map((name) => `test/edge/${name}.test.ts`);

/** The edge runs in workerd, with real KV and Durable Objects in memory. */
const edge = (test: ProjectConfig): TestProjectInlineConfiguration => ({
  plugins: [
    cloudflareTest({
      main: "./src/edge/worker.ts",
      wrangler: { configPath: "./wrangler.toml" },
      miniflare: {
        bindings: {
          ROLLCALL_MASTER_KEY: "dGVzdC1tYXN0ZXIta2V5LW9mLXRoaXJ0eS10d28tYnk",
          ROLLCALL_ADMIN_TOKEN: "test-admin-token-that-is-long-enough",
        },
      },
    }),
  ],
  test: { ...test, testTimeout: 300_000, hookTimeout: 300_000 },
});

export default defineConfig({
  test: {
    // Two more than there are cores: many tests wait for real timeouts. Vitest's default is one less.
    maxWorkers: availableParallelism() + 2,
    reporters: ["default", new Skipped()],
    sequence: { sequencer: WaitingFirst },
    projects: [
      { test: { ...node, name: SHARED, include: SHARED_TESTS, isolate: false } },
      {
        test: {
          ...node,
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/edge/**", ...SHARED_TESTS],
        },
      },
      edge({ name: "edge", include: ALONE }),
      // Starting workerd and loading the edge takes longer than most of these files.
      edge({
        name: "edge, shared",
        include: ["test/edge/**/*.test.ts"],
        exclude: ALONE,
        isolate: false,
        setupFiles: ["./test/edge/support/empty.ts"],
      }),
    ],
  },
});
