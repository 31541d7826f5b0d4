import type { RegistryError, Result } from "../api/log.ts";

/** An error of the contract on its way out of a transaction, which it rolls back. */
export class RegistryFailure extends Error {
  readonly error: RegistryError;

  constructor(error: RegistryError) {
    super(error.message);
    this.name = "RegistryFailure";
    this.error = error;
  }
}

export const failure = (
  code: RegistryError["code"],
  message: string,
  more: Omit<RegistryError, "code" | "message"> = {},
): RegistryFailure => new RegistryFailure({ code, message, ...more });

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });
