// A service behind the gate, for tests/upstream.rs: it tells what the gate vouches for, and refuses what it does not.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { vouched } from "./verify.mjs";

const server = createServer(async (request, response) => {
  const told = await vouched(request, JSON.parse(readFileSync(process.argv[2], "utf8")));
  response.writeHead(told === null ? 401 : 200, { "content-type": "application/json" });
  response.end(JSON.stringify({ vouched: told }));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
