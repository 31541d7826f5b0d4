import { describe, expect, it } from "vitest";
import { parseAddress, showAddress } from "../../src/bridge/index.ts";

describe("an address to listen on", () => {
  it.each(["127.0.0.1:10023", "127.255.0.1:0", "[::1]:65535", "unix:/run/rollcall/socketmap"])(
    "%s is one",
    (text) => {
      const address = parseAddress(text);
      expect(typeof address === "string" ? address : showAddress(address)).toBe(text);
      expect(typeof address).toBe("object");
    },
  );

  it.each([
    "0.0.0.0:25",
    "[::]:25",
    "192.0.2.1:25",
    "10.0.0.1:25",
    "128.0.0.1:25",
    "127.0.0.256:25",
    "127.0.1.01:25",
  ])("%s is refused: only loopback", (text) => expect(parseAddress(text)).toMatch(/loopback/));

  it.each([
    "",
    "10023",
    ":10023",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "localhost:25",
    "*:25",
  ])("%j is refused", (text) => expect(parseAddress(text)).toMatch(/must be 127\.0\.0\.1:PORT/));

  it.each(["unix:", "unix:run/socket", "unix:/a\u0000b"])("%j is refused: not a whole path", (text) =>
    expect(parseAddress(text)).toMatch(/must be the absolute path/),
  );

  it("is refused if its path is too long for any system", () => {
    expect(parseAddress(`unix:/${"x".repeat(102)}`)).toMatchObject({ kind: "unix" });
    expect(parseAddress(`unix:/${"x".repeat(103)}`)).toMatch(/at most 103 octets/);
  });
});
