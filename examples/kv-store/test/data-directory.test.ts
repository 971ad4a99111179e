/** Whose data a directory holds: what is taken, what is refused, and that refusing changes nothing. */
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DataError, findData, makeDataDirectory, refuseGroupData } from "../src/data-directory.js";

let scratch: string;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "lockstep-kv-test-"));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(scratch, { recursive: true });
});

const owner = { group: "lockstep-kv", replicas: 3 };
const ownerFile = "lockstep-kv.json";

async function refusal(directory: string, asked = owner): Promise<string> {
  const error: unknown = await findData(directory, asked).then(() => undefined, (cause: unknown) => cause);
  expect(error).toBeInstanceOf(DataError);
  return (error as DataError).message;
}

describe("a data directory", () => {
  it("is made with what is missing above it, for its user alone, and then found", async () => {
    const directory = join(scratch, "a", "b");
    expect(await findData(directory, owner)).toBe(false);
    expect(await readdir(scratch)).toEqual([]);
    await makeDataDirectory(directory, owner);
    expect(await findData(directory, owner)).toBe(true);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect(await readdir(directory)).toEqual([ownerFile]);
  });

  it("is made on Windows too, which flushes no directories", async () => {
    const handle = await open(scratch);
    const methods = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    vi.spyOn(methods, "sync").mockImplementation(async function sync(this: FileHandle) {
      if ((await this.stat()).isDirectory()) throw Object.assign(new Error("EPERM: operation not permitted, fsync"), { code: "EPERM" });
    });
    vi.spyOn(process, "platform", "get").mockReturnValue("win32");
    await makeDataDirectory(join(scratch, "a"), owner);
    expect(await readdir(join(scratch, "a"))).toEqual([ownerFile]);
  });

  it("may be there and empty, or left by a start that did not come to its end", async () => {
    expect(await findData(scratch, owner)).toBe(false);
    await writeFile(join(scratch, `${ownerFile}.new`), "{");
    expect(await findData(scratch, owner)).toBe(false);
    await makeDataDirectory(scratch, owner);
    expect(await findData(scratch, owner)).toBe(true);
    expect(await readdir(scratch)).toEqual([ownerFile]);
  });

  it("may hold replicas that were restored, as many as there are to be", async () => {
    await mkdir(join(scratch, "replica-2"));
    expect(await findData(scratch, owner)).toBe(false);
    await mkdir(join(scratch, "replica-4"));
    expect(await refusal(scratch)).toMatch(/not empty/);
  });

  it("of another group is refused, with that group's name", async () => {
    await makeDataDirectory(scratch, owner);
    expect(await refusal(scratch, { ...owner, group: "other" })).toMatch(/holds the data of group lockstep-kv, not of other.*--group lockstep-kv/);
  });

  it("of another number of replicas is refused, with that number", async () => {
    await makeDataDirectory(scratch, owner);
    expect(await refusal(scratch, { ...owner, replicas: 5 })).toMatch(/made with 3 replicas.*asks for 5\. Start with --ports and 3 ports/);
    await writeFile(join(scratch, ownerFile), JSON.stringify({ format: 1, group: "lockstep-kv", replicas: 1 }));
    expect(await refusal(scratch)).toMatch(/made with 1 replica,.*--ports and one port,/);
  });

  it("of a newer version is refused", async () => {
    await writeFile(join(scratch, ownerFile), JSON.stringify({ format: 2, whatever: true }));
    expect(await refusal(scratch)).toMatch(/newer lockstep-kv/);
  });

  it.each(["", "{", "null", "[]", "{}", '{"format":1,"group":"g"}', '{"format":1,"group":"g","replicas":"3"}'])("whose owner is written as %j is refused, with how to write it again, and left as it is", async (text) => {
    await writeFile(join(scratch, ownerFile), text);
    expect(await refusal(scratch)).toMatch(/lockstep-kv\.json cannot be read: .*write it again: \{"format":1,"group":"lockstep-kv","replicas":3\}/);
    expect(await readFile(join(scratch, ownerFile), "utf8")).toBe(text);
  });

  it("that holds something else is refused, whatever that is", async () => {
    await writeFile(join(scratch, "letter.txt"), "");
    expect(await refusal(scratch)).toMatch(/is not empty, and holds no data of lockstep-kv/);
    expect(await refusal(join(scratch, "letter.txt"))).toMatch(/cannot be read: ENOTDIR/);
    await writeFile(join(scratch, "data.mdb"), "");
    expect(await refusal(scratch)).toMatch(/one replica of a Corosync cluster/);
  });

  it("of replicas in one process is refused for a replica on Corosync", async () => {
    await refuseGroupData(scratch);
    await refuseGroupData(join(scratch, "not-there"));
    await makeDataDirectory(scratch, owner);
    await expect(refuseGroupData(scratch)).rejects.toThrow(/needs a directory of its own/);
  });

  it("that cannot be made is refused, with the way out", async () => {
    await writeFile(join(scratch, "file"), "");
    await expect(makeDataDirectory(join(scratch, "file", "below"), owner)).rejects.toThrow(/cannot be made: ENOTDIR.*--memory/);
    await mkdir(join(scratch, "taken", `${ownerFile}.new`), { recursive: true });
    await expect(makeDataDirectory(join(scratch, "taken"), owner)).rejects.toThrow(/cannot be made: EISDIR/);
  });
});
