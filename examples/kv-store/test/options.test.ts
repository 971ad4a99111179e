import { describe, expect, it } from "vitest";
import { OptionError, parseOptions } from "../src/options.js";

describe("the command line", () => {
  it("without arguments asks for three replicas on Redis's port and the two after it", () => {
    expect(parseOptions([])).toEqual({ run: "embedded", host: "127.0.0.1", group: "lockstep-kv", reads: "linearizable", directory: "lockstep-kv-data", ports: [6379, 6380, 6381] });
  });

  it("says where the data is kept: embedded in a directory of its own unless told otherwise, with Corosync in memory unless told otherwise", () => {
    expect(parseOptions(["--data", "/srv/kv"])).toMatchObject({ run: "embedded", directory: "/srv/kv" });
    expect(parseOptions(["--memory"])).toMatchObject({ run: "embedded", directory: undefined });
    expect(parseOptions(["--transport", "corosync", "--data", "/srv/kv"])).toMatchObject({ run: "clustered", directory: "/srv/kv" });
    expect(parseOptions(["--transport", "corosync", "--memory"])).toMatchObject({ run: "clustered", directory: undefined });
  });

  it("takes a first port, or every port", () => {
    expect(parseOptions(["--port", "7001"])).toMatchObject({ ports: [7001, 7002, 7003] });
    expect(parseOptions(["--ports", "7001, 8001,9001,9002,9003"])).toMatchObject({ ports: [7001, 8001, 9001, 9002, 9003] });
    expect(parseOptions(["--port", "0"])).toMatchObject({ ports: [0, 0, 0] });
  });

  it("asks for one replica with Corosync", () => {
    expect(parseOptions(["--transport", "corosync", "--port", "7000", "--policy", "corosync", "--reads", "sequential"])).toEqual({
      run: "clustered", host: "127.0.0.1", group: "lockstep-kv", reads: "sequential", directory: undefined, port: 7000, policy: "corosync",
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
    [["--reads", "dirty"], /linearizable or sequential/],
    [["--data", "d", "--memory"], /--data to keep the data, or --memory to keep nothing on disk, not both/],
    [["--data", ""], /--data must name a directory/],
    [["--data"], /--data/],
    [["--group", "g".repeat(128)], /1 to 127 bytes/],
  ])("%j is refused and says why", (args, message) => {
    expect(() => parseOptions(args)).toThrow(OptionError);
    expect(() => parseOptions(args)).toThrow(message);
  });
});
