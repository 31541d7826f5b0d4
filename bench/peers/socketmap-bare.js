// The ceiling: a socketmap service in Node that looks at nothing and says yes to whatever it reads, one question at
// a time. Listens on the path in SOCKET.
import { createServer } from "node:net";

createServer((socket) => {
  socket.on("error", () => socket.destroy());
  socket.on("data", () => socket.write("14:OK deliverable,"));
}).listen(process.env.SOCKET, () => console.log("ready"));
