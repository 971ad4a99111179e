/** Mistakes with the files of a store, and in what operators do to them. */
import type { Catch, Mutation } from "../mutation.js";

const section = "On disk";

function byTest(file: string): Catch {
  return { by: "test", file };
}

export const files: readonly Mutation[] = [
  {
    id: "reads-records-whatever-their-checksums",
    rule: "Every checksum is looked at.",
    section,
    edits: [{ file: "log/store-codec.ts", find: "if (bytes.readUInt32LE(bytes.byteLength - checksumBytes) !== checksum(key, bytes)) return", replace: "if (checksum(key, bytes) < 0) return" }],
    caught: byTest("log/log-store.test.ts"),
  },
  {
    id: "takes-a-record-in-another-s-place",
    rule: "A record that is in another's place is damage.",
    section,
    edits: [{ file: "log/store-codec.ts", find: ", crc32(key));", replace: ", crc32(key.slice(0, 0)));" }],
    caught: byTest("log/log-store.test.ts"),
  },
  {
    id: "takes-an-empty-database-for-a-blank-one",
    rule: "A database that is empty has been damaged: it gets its name when it is whole.",
    section,
    edits: [{ file: "log/lmdb-backend.ts", find: "if (!existsSync(join(path, databaseFile))) await", replace: "if (!existsSync(join(path, databaseFile)) || statSync(join(path, databaseFile)).size === 0) await" },
      { file: "log/lmdb-backend.ts", find: "  if (existsSync(lockOf(join(directory, databaseFile)))) damaged(", replace: "  if (existsSync(lockOf(join(directory, databaseFile))) && !existsSync(join(directory, databaseFile))) damaged(" },
      { file: "log/lmdb-backend.ts", find: "import { existsSync, ", replace: "import { existsSync, statSync, " }],
    caught: byTest("log/database-file.test.ts"),
  },
  {
    id: "makes-a-database-where-one-was-lost",
    rule: "A database that is missing where there was one has been lost, and is not made anew.",
    section,
    edits: [{ file: "log/lmdb-backend.ts", find: "  if (existsSync(lockOf(join(directory, databaseFile)))) damaged(", replace: "  if (existsSync(join(directory, databaseFile))) damaged(" }],
    caught: byTest("log/database-file.test.ts"),
  },
  {
    id: "trusts-the-pages-of-a-database",
    rule: "A database's pages are looked through before anything trusts them.",
    section,
    edits: [{ file: "log/page-check.ts", find: "new PageCheck(file).run();", replace: "void new PageCheck(file);" }],
    caught: byTest("log/page-check.test.ts"),
  },
  {
    id: "drops-a-state-before-the-log-begins-with-it",
    rule: "A state that is written down stays beside the one in use until one write makes it the base.",
    section,
    edits: [{ file: "log/log-store.ts", find: "snapshot), this.#finished?.snapshot,", replace: "snapshot), " }],
    caught: byTest("log/log-store.test.ts"),
  },
  {
    id: "keeps-what-does-not-lead-to-the-base",
    rule: "Entries from before the base are kept for members that come back if they lead to it, and no others.",
    section,
    edits: [{ file: "log/log-store.ts", find: "since: continues ? this.#base.point : point }", replace: "since: this.#base.point }" }],
    caught: byTest("log/log-store.test.ts"),
  },
  {
    id: "starts-from-the-log-without-its-state",
    rule: "A restart takes the snapshot and the log after it.",
    section,
    edits: [{ file: "log/recovery.ts", find: "if (snapshot !== undefined) await", replace: "if (snapshot !== undefined && base.position < 0) await" }],
    caught: byTest("durable-replica.test.ts"),
  },
  {
    id: "says-that-a-disk-took-what-it-did-not",
    rule: "What the disk does not take is tried again: until it has it nothing is acknowledged that needs it.",
    section,
    edits: [{ file: "log/persistence.ts", find: "if (!isLockstepError(error, \"STORE_FAILED\")) {", replace: "if (isLockstepError(error, \"STORE_FAILED\")) return true;\n        if (!isLockstepError(error, \"STORE_FAILED\")) {" }],
    caught: byTest("log/persistence.test.ts"),
  },
  {
    id: "shares-a-directory-with-a-living-process",
    rule: "One process has a directory at a time.",
    section,
    edits: [{ file: "log/directory-lock.ts", find: "    connection.once(\"connect\", () => {\n      connection.destroy();\n      resolve(true);", replace: "    connection.once(\"connect\", () => {\n      connection.destroy();\n      resolve(false);" }],
    caught: byTest("durable-replica.test.ts"),
  },
  {
    id: "starts-from-a-restore-that-was-not-finished",
    rule: "A store that a restore has not finished is refused.",
    section: "New starts",
    edits: [{ file: "log/log-store.ts", find: "    refuseUnfinished(this.#backend);\n", replace: "    if (this.#recovered) refuseUnfinished(this.#backend);\n" }],
    caught: byTest("log/log-store.test.ts"),
  },
  {
    id: "restores-over-another-s-store",
    rule: "A restore takes only a directory in which nothing is, or a restore that was not finished.",
    section: "New starts",
    edits: [{ file: "operate/restore.ts", find: "unused = isUnfinished(backend) || backend.keys(\"\", past, 1).length === 0;", replace: "unused = isUnfinished(backend) || backend.keys(\"\", past, 1).length >= 0;" }],
    caught: byTest("operate/restore.test.ts"),
  },
  {
    id: "takes-a-damaged-backup",
    rule: "Every checksum of a backup is looked at.",
    section: "New starts",
    edits: [{ file: "operate/backup-reader.ts", find: "if ((await this.#read(checksumBytes)).readUInt32LE(0) !== crc32(payload, checksum)) throw", replace: "if ((await this.#read(checksumBytes)).readUInt32LE(0) < 0 && crc32(payload, checksum) < 0) throw" }],
    caught: byTest("operate/backup.test.ts"),
  },
  {
    id: "waits-for-others-after-a-new-start",
    rule: "A new start knows of no other slot.",
    section: "New starts",
    edits: [{ file: "operate/new-start.ts", find: "lineage: true, replaceState: false, known: [identity.slot] };", replace: "lineage: true, replaceState: false, known: log.head.known };" }],
    caught: byTest("operate/new-start.test.ts"),
  },
];
