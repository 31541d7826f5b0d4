/** A Worker in place of Rollcall that has the entrypoint and not its method. */
import { WorkerEntrypoint } from "cloudflare:workers";

export class RecipientCheck extends WorkerEntrypoint {}

export default { fetch: () => new Response("not Rollcall") } satisfies ExportedHandler;
