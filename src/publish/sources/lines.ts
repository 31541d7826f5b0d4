/** Longest line, in octets. Longer ones are not addresses. */
export const MAX_LINE = 16 * 1024;

export const OVERLONG = `longer than ${MAX_LINE} octets`;

/**
 * Splits a file into lines, ended by LF or CR LF. Memory stays bounded by one chunk and one line, whatever the bytes
 * are. Bytes that are not UTF-8 become U+FFFD, which no address may contain.
 *
 * @param chunks the file's bytes, with or without a byte order mark
 * @param take receives each line's number, from 1, and its text; null if it is longer than {@link MAX_LINE}
 * @param progress called from time to time with the octets read so far
 */
export async function eachLine(
  chunks: AsyncIterable<Uint8Array>,
  take: (line: number, text: string | null) => void,
  progress?: (octets: number) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let line = 0;
  let rest = "";
  let isOverlong = false;
  let octets = 0;
  const end = (text: string): void => {
    const isShort = !isOverlong && text.length <= MAX_LINE;
    take(++line, isShort ? (text.endsWith("\r") ? text.slice(0, -1) : text) : null);
    isOverlong = false;
    rest = "";
  };
  const feed = (text: string): void => {
    let from = 0;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
      end(rest + text.slice(from, at));
      from = at + 1;
    }
    rest += text.slice(from);
    if (rest.length > MAX_LINE) {
      isOverlong = true;
      rest = "";
    }
  };
  for await (const chunk of chunks) {
    octets += chunk.length;
    feed(decoder.decode(chunk, { stream: true }));
    progress?.(octets);
  }
  feed(decoder.decode());
  if (rest !== "" || isOverlong) end(rest);
}
