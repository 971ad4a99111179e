/**
 * Wrong arguments are refused where they are given, with a typed error that says what is expected, and before anything native is
 * loaded: needs no Corosync. Calls on open handles: daemon/arguments.test.ts.
 */
import { describe, expect, test } from "vitest";
import { assertSafeVersion, Cfg, Cmap, Cpg, daemonVersion, Quorum, Votequorum } from "../lib/index.js";

const nothing = (): void => undefined;

/** What opening a handle needs, complete. */
const complete = {
  Cpg: { listener: { messages: nothing, configurationChanged: nothing, ringChanged: nothing, ended: nothing } },
  Quorum: { listener: { quorumChanged: nothing, ended: nothing } },
  Votequorum: {},
  Cmap: {},
  Cfg: { listener: { shutdownRequested: nothing, ended: nothing } },
};
const open = {
  Cpg: (options: unknown) => Cpg.open(options as never),
  Quorum: (options: unknown) => Quorum.open(options as never),
  Votequorum: (options: unknown) => Votequorum.open(options as never),
  Cmap: (options: unknown) => Cmap.open(options as never),
  Cfg: (options: unknown) => Cfg.open(options as never),
};
type Name = keyof typeof complete;
const names = Object.keys(complete) as Name[];
const calls: Record<Name, string> = { Cpg: "cpg_model_initialize", Quorum: "quorum_model_initialize", Votequorum: "votequorum_initialize", Cmap: "cmap_initialize_map", Cfg: "corosync_cfg_initialize" };

async function expectRefused(name: Name, options: unknown, says: string): Promise<void> {
  await expect(open[name](options), `${name}.open`).rejects.toMatchObject({ name: "CorosyncError", code: "INVALID_PARAM", call: calls[name], message: expect.stringContaining(says) });
}

describe("opening a handle", () => {
  test.each(names)("%s refuses what is no object, an option that does not exist, and a bound out of range", async (name) => {
    for (const options of [null, 5, "fast"]) await expectRefused(name, options, "the options must be an object");
    await expectRefused(name, { ...complete[name], tryagainMs: 5 }, "there is no option 'tryagainMs'; there are ");
    for (const value of [-1, 0.5, Number.NaN, "5", 86_400_001]) await expectRefused(name, { ...complete[name], tryAgainMs: value }, "tryAgainMs must be a whole number from 0 to 86400000");
    for (const value of [0, Infinity, "5"]) await expectRefused(name, { ...complete[name], closeMs: value }, "closeMs must be a whole number from 1 to 3600000");
  });

  test.each(names)("%s refuses a signal that is none", async (name) => {
    for (const signal of [null, new AbortController(), "stop"]) await expectRefused(name, { ...complete[name], signal }, "signal must be an AbortSignal, not ");
  });

  test.each(["Cpg", "Quorum", "Cfg"] as const)("%s refuses a listener that is missing or lacks a method, at once and not at the first event", async (name) => {
    const { listener } = complete[name];
    await expectRefused(name, {}, "listener must be an object with the methods ");
    for (const value of [null, nothing, "me"]) await expectRefused(name, { listener: value }, "listener must be an object with the methods ");
    for (const method of Object.keys(listener)) {
      for (const value of [undefined, null, true]) await expectRefused(name, { listener: { ...listener, [method]: value } }, `listener.${method} must be a function, not ${String(value)}`);
    }
  });

  test("Quorum takes a listener without nodesChanged, and refuses one whose nodesChanged is no function", async () => {
    await expectRefused("Quorum", { listener: { ...complete.Quorum.listener, nodesChanged: "yes" } }, "listener.nodesChanged must be a function, not 'yes'");
    await expectRefused("Quorum", { listener: complete.Quorum.listener, closeMs: 0 }, "closeMs");
  });

  test("Cpg refuses an initialRing that is neither true nor false, and bounds out of range", async () => {
    for (const initialRing of [0, "no", {}]) await expectRefused("Cpg", { ...complete.Cpg, initialRing }, "initialRing must be true or false");
    for (const heldLimitBytes of [0, 4 * 1024 * 1024 - 1, "64 MiB"]) await expectRefused("Cpg", { ...complete.Cpg, heldLimitBytes }, "heldLimitBytes must be a whole number from 4194304");
    for (const stallMs of [0, 10_001, "20"]) await expectRefused("Cpg", { ...complete.Cpg, stallMs }, "stallMs must be a whole number from 1 to 10000");
  });

  test("Cmap refuses a map that does not exist, and names those that do", async () => {
    for (const map of ["Stats", "", 1, Symbol("stats"), {}]) await expectRefused("Cmap", { map }, 'map must be "icmap" or "stats", not ');
  });
});

describe("versions", () => {
  test("what is no version is refused, instead of being taken for a safe one", () => {
    for (const version of ["x.y.z", "", "3.1.6-rc1", " 3.1.7", undefined, 3.2, ["3.1.7"]]) {
      expect(() => assertSafeVersion(version as string), String(version)).toThrow(expect.objectContaining({ code: "INVALID_PARAM" }));
    }
  });

  test("of what is no process id none is asked for", async () => {
    for (const pid of [-1, 1.5, "self", "../bin/sh", undefined]) await expect(daemonVersion(pid as number), String(pid)).rejects.toMatchObject({ code: "INVALID_PARAM", message: expect.stringContaining("daemonPid must be a whole number") });
  });
});
