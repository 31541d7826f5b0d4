/** Octets of a line past which it is no list of addresses any more. */
export const MAX_LINE = 16 * 1024;

/**
 * Cuts a file into lines, ended by LF or CR LF. Memory stays bounded by one chunk and one line, whatever the
 * bytes are; what is no UTF-8 becomes U+FFFD, which no address may hold.
 *
 * @param chunks the file's bytes, with or without a byte order mark
 * @param take gets each line's number, from 1, and its text; null where it is longer than {@link MAX_LINE}
 * @param progress gets the octets that were read so far, now and then
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
