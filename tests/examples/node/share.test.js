// Tests of a client in JavaScript. Node's clients cannot sign, which the server is told to let be; and
// this one needs MD4, which OpenSSL has in its legacy provider alone (package.json).
const assert = require("node:assert");
const { execFileSync, spawn } = require("node:child_process");
const { mkdtempSync, readFileSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { after, before, test } = require("node:test");
const SMB2 = require("v9u-smb2");

let folder, process_, client, server;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "smb-"));
  const fifo = join(folder, "..", `ready-${process.pid}`);
  execFileSync("mkfifo", [fifo]);
  process_ = spawn("tsmbd", [
    "serve", folder, "--port", "0", "--ready-file", fifo, "--die-with-parent", "--signing", "enabled",
  ]);
  process_.unref();
  server = JSON.parse(readFileSync(fifo, "utf8")); // waits until clients can connect
  rmSync(fifo);
  client = new SMB2({
    share: server.unc, domain: "", username: server.user, password: server.password,
    port: server.port, autoCloseTimeout: 0,
  });
});

after(() => {
  client.disconnect();
  process_.kill();
  rmSync(folder, { recursive: true });
});

test("what is written is on the disk", async () => {
  await client.writeFile("report.txt", "all is well");
  assert.strictEqual(readFileSync(join(folder, "report.txt"), "utf8"), "all is well");
});

test("what is missing is an error", async () => {
  await assert.rejects(client.readFile("missing.txt"), { code: "STATUS_OBJECT_NAME_NOT_FOUND" });
});
