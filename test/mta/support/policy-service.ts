import { type AddressInfo, createServer } from "node:net";
import type { Cleanup } from "./cleanup.ts";

/** A policy service of Postfix, such as a greylister, with one answer to all. @returns its port, and whom it was asked about */
export async function startPolicyService(
  action: string,
  cleanup: Cleanup,
  port = 0,
): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((socket) => {
    let text = "";
    socket
      .on("error", () => undefined)
      .on("data", (part) => {
        text += part.toString();
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
          asked.push(/^recipient=(.*)$/m.exec(text.slice(0, end))?.[1] ?? "");
          text = text.slice(end + 2);
          socket.write(`action=${action}\n\n`);
        }
      });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  cleanup.add(() => new Promise((resolve) => server.close(resolve)));
  return { port: (server.address() as AddressInfo).port, asked };
}
