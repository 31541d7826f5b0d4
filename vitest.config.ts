import { availableParallelism } from "node:os";
import { join } from "node:path";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
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
      {
        // The edge runs in workerd, with real KV and Durable Objects in memory.
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
        test: {
          name: "edge",
          include: ["test/edge/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
