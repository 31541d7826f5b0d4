/* Files of one workerd: each begins with empty storage. What an isolate has seen goes with its bindings, see edge.ts. */
import { reset } from "cloudflare:test";

await reset();
