/**
 * JSON Pointer (RFC 6901), with `*` for every item of an array, such as `emails`, `*`, `address` joined by slashes.
 * @returns all values that the pointer leads to
 */
export function valuesAt(value: unknown, pointer: string): readonly unknown[] {
  const steps = pointer === "" ? [] : pointer.slice(1).split("/");
  return steps.reduce<readonly unknown[]>(
    (found, step) => found.flatMap((each) => stepInto(each, step)),
    [value],
  );
}

function stepInto(value: unknown, step: string): readonly unknown[] {
  if (Array.isArray(value)) {
    if (step === "*") return value;
    return /^(?:0|[1-9]\d*)$/.test(step) && Number(step) < value.length ? [value[Number(step)]] : [];
  }
  const name = step.replaceAll("~1", "/").replaceAll("~0", "~");
  const isMember = typeof value === "object" && value !== null && Object.hasOwn(value, name);
  return isMember ? [(value as Readonly<Record<string, unknown>>)[name]] : [];
}

/** Whether a text is a pointer. */
export const POINTER = /^(?:\/(?:[^~/]|~[01])*)*$/;
