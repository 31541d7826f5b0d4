import type { ErrorBody, ErrorCode } from "../api/index.ts";

export type ClientFault =
  /** No answer: no connection, a timeout, a gateway's error page. */
  | "unreachable"
  /** 401: the token is missing, malformed, expired or revoked. */
  | "unauthorized"
  /** 403: the token's role or domains do not cover this. */
  | "forbidden"
  /** A bot filter in front of the edge asked for a browser. */
  | "challenge"
  /** The answer is not that of an edge. */
  | "protocol"
  /** The edge answered with an error; {@link ClientError.code} says which. */
  | "api";

/** The one error family of `src/client`. None of them is ever a verdict (law 1). */
export class ClientError extends Error {
  readonly kind: ClientFault;
  /** HTTP status, null if there was no response. */
  readonly status: number | null;
  /** The error in the edge's answer, null if there is none. */
  readonly body: ErrorBody["error"] | null;

  constructor(
    kind: ClientFault,
    message: string,
    status: number | null = null,
    body: ErrorBody["error"] | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "ClientError";
    this.kind = kind;
    this.status = status;
    this.body = body;
  }

  get code(): ErrorCode | null {
    return this.body?.code ?? null;
  }

  /** Whether the same request may succeed a little later. */
  get transient(): boolean {
    if (this.kind === "unreachable" || (this.status === 429 && this.code !== "storage_full")) return true;
    return this.kind === "api" && (this.code === "unavailable" || this.code === "timeout");
  }
}
