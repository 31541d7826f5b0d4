import { equalBytes, fromHex, fromUtf8, type Hashing, toHex, utf8 } from "../../directory/index.ts";

/**
 * JSON with a checksum over itself and the path of its file. So a flipped bit, half a file and a file in the place of
 * another one are all noticed. It protects from accidents, not from somebody who may write in the folder.
 */
export function seal(hashing: Hashing, path: string, value: unknown): Uint8Array {
  const json = JSON.stringify(value);
  return utf8(`${toHex(checksum(hashing, path, json))}\n${json}\n`);
}

/** The value that was sealed for this path; undefined if the bytes are anything else. */
export function unseal(hashing: Hashing, path: string, bytes: Uint8Array): unknown {
  try {
    const text = fromUtf8(bytes);
    const end = text.indexOf("\n");
    const json = text.slice(end + 1, -1);
    if (!text.endsWith("\n") || !equalBytes(fromHex(text.slice(0, end)), checksum(hashing, path, json)))
      return undefined;
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}

const checksum = (hashing: Hashing, path: string, json: string): Uint8Array =>
  hashing.sha256(utf8(`${path}\n${json}`));
