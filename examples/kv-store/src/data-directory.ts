/**
 * Where the replicas of one process keep their data: replica N in DIR/replica-N, and beside them a file that says whose
 * data it is. How many replicas there are is part of the data: what is answered rests on a majority of just these.
 */
import { mkdir, open, readFile, readdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface DataOwner {
  readonly group: string;
  readonly replicas: number;
}

/** A directory that cannot be used: why, and what to do. */
export class DataError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "DataError";
  }
}

const ownerFile = "lockstep-kv.json";
/** Not yet renamed when the process ended. */
const unfinishedFile = `${ownerFile}.new`;
/** What a replica's own directory has, and this one has not. */
const storeFile = "data.mdb";
const format = 1;

export function replicaDirectory(directory: string, replica: number): string {
  return join(directory, replicaName(replica));
}

function replicaName(replica: number): string {
  return `replica-${replica}`;
}

/**
 * Looks, and changes nothing. Resolves to true if the directory holds this owner's data, to false if there is nothing yet.
 * @throws DataError if it holds anything else.
 */
export async function findData(directory: string, owner: DataOwner): Promise<boolean> {
  const names = await namesIn(directory);
  // A replica's directory may have been restored from a backup. Whose it is, its store says.
  if (names.every((name) => name === unfinishedFile || isOfReplica(name, owner.replicas))) return false;
  if (names.includes(ownerFile)) {
    compareOwners(directory, await readOwner(directory), owner);
    return true;
  }
  if (names.includes(storeFile)) throw new DataError(`${directory} holds the data of one replica of a Corosync cluster. Choose another directory with --data.`);
  throw new DataError(`${directory} is not empty, and holds no data of lockstep-kv. Choose another directory with --data; it is made if it is missing.`);
}

function isOfReplica(name: string, replicas: number): boolean {
  return Array.from({ length: replicas }, (_, i) => replicaName(i + 1)).includes(name);
}

/** The data directory of a single replica must not be one for several. */
export async function refuseGroupData(directory: string): Promise<void> {
  if (!(await namesIn(directory)).includes(ownerFile)) return;
  throw new DataError(`${directory} holds the data of replicas in one process. A replica on Corosync needs a directory of its own: choose another with --data.`);
}

/** On disk when it resolves, so that a loss of power does not leave data that nobody owns. */
export async function makeDataDirectory(directory: string, owner: DataOwner): Promise<void> {
  try {
    await makeDirectories(directory);
    await writeFile(join(directory, unfinishedFile), `${JSON.stringify({ format, ...owner })}\n`, { flush: true });
    await rename(join(directory, unfinishedFile), join(directory, ownerFile));
    await flushNames(directory);
    await flushNames(dirname(directory));
  } catch (error) {
    throw new DataError(`The data directory cannot be made: ${messageOf(error)}. Choose another with --data, or keep nothing on disk with --memory.`, error);
  }
}

/**
 * As private as the data. (mkdir's own `recursive` does not return where a directory that is there takes none, and says that it
 * is not: /proc.)
 */
async function makeDirectories(directory: string): Promise<void> {
  const missing = async (error: unknown): Promise<void> => {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || dirname(directory) === directory) throw error;
    await makeDirectories(dirname(directory));
    await mkdir(directory, { mode: 0o700 });
  };
  await mkdir(directory, { mode: 0o700 }).catch(missing);
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw new DataError(`The data directory cannot be read: ${messageOf(error)}. Choose another with --data.`, error);
  }
}

async function readOwner(directory: string): Promise<DataOwner> {
  const path = join(directory, ownerFile);
  try {
    const value = JSON.parse(await readFile(path, "utf8")) as Partial<Record<string, unknown>> | null;
    const { format: found, group, replicas } = value ?? {};
    if (typeof found === "number" && found > format) throw new DataError(`${directory} was written by a newer lockstep-kv. Start that one, or choose another directory with --data.`);
    if (found !== format || typeof group !== "string" || typeof replicas !== "number") throw new Error("it must have format, group and replicas");
    return { group, replicas };
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(
      `${path} cannot be read: ${messageOf(error)}. It says whose data the directory holds. With the group's name and the number of replicas it was made with, ` +
      `write it again: {"format":${format},"group":"lockstep-kv","replicas":3}`,
      error,
    );
  }
}

function compareOwners(directory: string, found: DataOwner, wanted: DataOwner): void {
  if (found.group !== wanted.group) {
    throw new DataError(`${directory} holds the data of group ${found.group}, not of ${wanted.group}. Start with --group ${found.group}, or choose another directory with --data.`);
  }
  if (found.replicas !== wanted.replicas) {
    throw new DataError(
      `${directory} was made with ${count(found.replicas)}, and their number cannot change: this start asks for ${wanted.replicas}. ` +
      `Start with --ports and ${found.replicas === 1 ? "one port" : `${found.replicas} ports`}, or choose another directory with --data.`,
    );
  }
}

function count(replicas: number): string {
  return replicas === 1 ? "1 replica" : `${replicas} replicas`;
}

/** A new name is not safe before its directory is. Windows has no such thing: it refuses (EPERM), and keeps names in its own journal. */
async function flushNames(directory: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
