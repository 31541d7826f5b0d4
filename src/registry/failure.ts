import type { FaultKind, RegistryError, Result } from "../api/index.ts";
import { DirectoryError } from "../directory/index.ts";

/** An error of the contract. Thrown in a transaction, it rolls that back. */
export class RegistryFailure extends Error {
  readonly error: RegistryError;

  constructor(error: RegistryError) {
    super(error.message);
    this.name = "RegistryFailure";
    this.error = error;
  }
}

/** What is stored of a domain is not what it was, or is gone. Nothing is made from it, and it is shown (damages.ts). */
export class Damage extends RegistryFailure {
  readonly kind: FaultKind;
  readonly domain: string;
  /** Whether it is about the domain's head, and not about an older generation. */
  readonly isOfHead: boolean;
  /** The blob that it is about. */
  readonly blob: string | null;

  constructor(
    kind: FaultKind,
    domain: string,
    what: string,
    about: { isOfHead?: boolean; blob?: string } = {},
  ) {
    super({ code: "unavailable", message: `${domain}: ${what}`, domain });
    this.kind = kind;
    this.domain = domain;
    this.isOfHead = about.isOfHead ?? true;
    this.blob = about.blob ?? null;
  }
}

export const failure = (
  code: RegistryError["code"],
  message: string,
  more: Omit<RegistryError, "code" | "message"> = {},
): RegistryFailure => new RegistryFailure({ code, message, ...more });

/** What is wrong with the part of a request that is about `domain`. */
export const badRequest = (domain: string, message: string): RegistryFailure =>
  failure("bad_request", `${domain}: ${message}`, { domain });

/** Reads the part of a request that is about `domain`. @throws RegistryFailure `bad_request` if it cannot be read */
export function readRequest<T>(domain: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof DirectoryError ? badRequest(domain, error.message) : error;
  }
}

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });
