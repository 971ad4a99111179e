/** What is said of a port that the system refuses. */
import { afterEach, expect, it } from "vitest";
import { explainListenError } from "../../src/cli/listen-error.js";

const { platform } = process;
afterEach(() => { Object.defineProperty(process, "platform", { value: platform }); });

/** As Node tells it. */
const refused = Object.assign(new Error("listen EACCES: permission denied 127.0.0.1:900"), { code: "EACCES", syscall: "listen", address: "127.0.0.1", port: 900 });

it.each([
  ["linux", "This user may not listen on port 900. Choose one above 1023, such as --port 8400."],
  ["win32", "netsh interface ipv4 show excludedportrange protocol=tcp"],
])("on %s, a port that this user is refused is explained as the system means it", (system, says) => {
  Object.defineProperty(process, "platform", { value: system });
  const said = explainListenError(refused);
  expect(said).toContain(says);
  expect(said).toContain("--port 8400");
  expect(said?.includes("above 1023")).toBe(system === "linux");
});
