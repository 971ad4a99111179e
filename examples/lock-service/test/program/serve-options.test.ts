import { describe, expect, it } from "vitest";
import { parseServeOptions } from "../../src/cli/serve-options.js";
import { UsageError } from "../../src/cli/usage-error.js";

describe("the command line of serve", () => {
  it("without arguments asks for three replicas from port 7400 on, with data in a directory of their own", () => {
    expect(parseServeOptions([])).toEqual({
      run: "embedded", host: "127.0.0.1", group: "lockstep-lock", directory: "lockstep-lock-data", authFile: undefined, tls: undefined, ports: [7400, 7401, 7402],
    });
  });

  it("says where the data is kept", () => {
    expect(parseServeOptions(["--data", "/srv/locks"])).toMatchObject({ run: "embedded", directory: "/srv/locks" });
    expect(parseServeOptions(["--memory"])).toMatchObject({ run: "embedded", directory: undefined });
    expect(parseServeOptions(["--transport", "corosync", "--data", "/srv/locks"])).toMatchObject({ run: "clustered", directory: "/srv/locks" });
    expect(parseServeOptions(["--transport", "corosync"])).toMatchObject({ run: "clustered", directory: undefined });
  });

  it("takes a first port, or every port", () => {
    expect(parseServeOptions(["--port", "8400"])).toMatchObject({ ports: [8400, 8401, 8402] });
    expect(parseServeOptions(["--ports", "1, 2,3,4,5"])).toMatchObject({ ports: [1, 2, 3, 4, 5] });
    expect(parseServeOptions(["--port", "0"])).toMatchObject({ ports: [0, 0, 0] });
  });

  it("asks for one replica with Corosync, for tokens, and for certificates", () => {
    expect(parseServeOptions(["--transport", "corosync", "--port", "8400", "--policy", "corosync", "--host", "10.0.0.1", "--auth", "a.json", "--tls-cert", "c", "--tls-key", "k", "--tls-ca", "a"])).toEqual({
      run: "clustered", host: "10.0.0.1", group: "lockstep-lock", directory: undefined, authFile: "a.json", tls: { certFile: "c", keyFile: "k", caFile: "a" }, port: 8400, policy: "corosync",
    });
  });

  it.each([
    [["--prot", "1"], /--prot/],
    [["x"], /'x'/],
    [["--port", "x"], /--port takes port numbers from 0 to 65535, not "x"/],
    [["--port", "65534"], /no room for 3 ports/],
    [["--port", "1", "--ports", "1,2,3"], /not both/],
    [["--ports", "1,2,1"], /names a port twice/],
    [["--ports", "1,2,,"], /--ports takes port numbers/],
    [["--ports", "1,2,3,4,5,6,7,8"], /at most 7/],
    [["--transport", "corosync", "--ports", "1,2"], /use --port/],
    [["--transport", "tcp"], /memory or corosync/],
    [["--policy", "corosync"], /for --transport corosync/],
    [["--data", "d", "--memory"], /--data to keep the data, or --memory to keep nothing on disk, not both/],
    [["--data", ""], /--data must name a directory/],
    [["--tls-cert", "c"], /needs --tls-cert and --tls-key, both/],
    [["--tls-ca", "c"], /needs --tls-cert and --tls-key, both/],
    [["--auth", ""], /--auth must name a file/],
    [["--group", "g".repeat(128)], /1 to 127 bytes/],
  ])("%j is refused and says why", (args, message) => {
    expect(() => parseServeOptions(args)).toThrow(UsageError);
    expect(() => parseServeOptions(args)).toThrow(message);
  });
});
