/** What every test asks of Miniflare: loopback, a free port, and no output but what the Workers log. */
import type { Miniflare } from "miniflare";
import { HOST } from "../../src/cli/dev/local-edge.ts";

type Options = ConstructorParameters<typeof Miniflare>[0];

/** @param log receives each line that a Worker logs, with its level @param storage folder of KV and the Registry */
export const quietly = (log: string[], storage: string) =>
  ({
    host: HOST,
    port: 0,
    logRequests: false,
    handleStructuredLogs: ({ level, message }) => log.push(`${level}: ${message}`),
    enableDevRegistry: false,
    cf: false,
    resourcePersistencePath: storage,
  }) satisfies Partial<Options>;
