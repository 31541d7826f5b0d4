/** The public face of the client. */
export * from "./answers.ts";
export type { CheckContext, Outcome } from "./ask-recipients.ts";
export type { Changes, ChangesQuestion } from "./changes.ts";
export * from "./client.ts";
export * from "./errors.ts";
export { type HttpReply, type HttpRequest, type Send, sendByFetch, tooLong } from "./http.ts";
export type { ClientOptions, ClientPorts } from "./transport.ts";
