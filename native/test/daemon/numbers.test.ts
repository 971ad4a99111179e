/** The numbers of lib/ are those of Corosync's headers, where these are installed (libcpg-dev and so on). Those of src/: abi_check.cc. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { answers, kinds } from "../../lib/cfg.js";
import { keyBytes, maps, types } from "../../lib/cmap.js";
import { reasons } from "../../lib/configuration-change.js";
import { flowControlStates, groupNameBytes, guarantees, iterations } from "../../lib/cpg.js";
import { corosyncErrors } from "../../lib/errors.js";
import { statusOk } from "../../lib/handle.js";
import { infoFlags, nodeStates } from "../../lib/votequorum.js";

/** PREFIX_WORD = the word's place, counted from `first`. */
const listed = (prefix: string, words: readonly string[], first = 0): [string, number][] => words.map((word, i) => [`${prefix}_${word.toUpperCase()}`, first + i]);

/** Ours, by header and Corosync's name. */
const numbers: Record<string, Record<string, number>> = {
  "corotypes.h": Object.fromEntries([["CS_OK", statusOk], ...Object.entries(corosyncErrors).map(([name, { number }]) => [`CS_ERR_${name}`, number] as const).filter(([, number]) => number > 0)]),
  "cpg.h": {
    ...Object.fromEntries([...listed("CPG_TYPE", guarantees), ...listed("CPG_REASON", reasons), ...listed("CPG_FLOW_CONTROL", flowControlStates)]),
    CPG_ITERATION_NAME_ONLY: iterations.groups,
    CPG_ITERATION_ONE_GROUP: iterations.membersOfOne,
    CPG_ITERATION_ALL: iterations.membersOfAll,
    CPG_MAX_NAME_LENGTH: groupNameBytes + 1,
  },
  "votequorum.h": {
    ...Object.fromEntries(listed("VOTEQUORUM_NODESTATE", nodeStates.slice(1), 1)),
    VOTEQUORUM_INFO_TWONODE: infoFlags.twoNode,
    VOTEQUORUM_INFO_QUORATE: infoFlags.quorate,
    VOTEQUORUM_INFO_WAIT_FOR_ALL: infoFlags.waitForAll,
    VOTEQUORUM_INFO_LAST_MAN_STANDING: infoFlags.lastManStanding,
    VOTEQUORUM_INFO_AUTO_TIE_BREAKER: infoFlags.autoTieBreaker,
    VOTEQUORUM_INFO_ALLOW_DOWNSCALE: infoFlags.allowDownscale,
    VOTEQUORUM_INFO_QDEVICE_REGISTERED: infoFlags.deviceRegistered,
    VOTEQUORUM_INFO_QDEVICE_ALIVE: infoFlags.deviceAlive,
    VOTEQUORUM_INFO_QDEVICE_CAST_VOTE: infoFlags.deviceCastsVote,
    VOTEQUORUM_INFO_QDEVICE_MASTER_WINS: infoFlags.deviceMasterWins,
  },
  "cmap.h": { ...Object.fromEntries([...listed("CMAP_MAP", maps), ...listed("CMAP_VALUETYPE", types, 1)]), CMAP_KEYNAME_MAXLEN: keyBytes },
  "cfg.h": Object.fromEntries([...listed("COROSYNC_CFG_SHUTDOWN_FLAG", kinds), ...listed("COROSYNC_CFG_SHUTDOWN_FLAG", answers)]),
};

/** A program that prints what each installed header says of our names. A name that a header lacks does not compile. */
function program(): string {
  const whereInstalled = (header: string, lines: readonly string[]): string[] => [`#if __has_include(<corosync/${header}>)`, ...lines, "#endif"];
  const includes = Object.keys(numbers).flatMap((header) => whereInstalled(header, [`#include <corosync/${header}>`]));
  const prints = Object.entries(numbers).flatMap(([header, ours]) => whereInstalled(header, Object.keys(ours).map((name) => `printf("${header} ${name} %ld\\n", (long)${name});`)));
  return ["#include <stdio.h>", ...includes, "int main(void) {", ...prints, 'printf("end\\n");', "}", ""].join("\n");
}

test("the numbers are those of Corosync's headers, where these are installed", () => {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-numbers-"));
  try {
    writeFileSync(join(directory, "numbers.cc"), program());
    const compiled = spawnSync(process.env["CXX"] ?? "g++", ["-o", "numbers", "numbers.cc"], { cwd: directory, encoding: "utf8" });
    expect(compiled.status, compiled.stderr).toBe(0);
    const lines = spawnSync(join(directory, "numbers"), { encoding: "utf8" }).stdout.trimEnd().split("\n");
    expect(lines.pop()).toBe("end");
    const theirs = lines.map((line) => line.split(" "));
    const ours = theirs.map(([header, name]) => [header, name, String(numbers[header ?? ""]?.[name ?? ""])]);
    expect(ours).toEqual(theirs);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
