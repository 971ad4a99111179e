/**
 * On Windows: a file that is open for one process alone, until that closes it or ends. The system refuses it to everybody else,
 * also in other containers and on other machines, which would not see a pipe; nor do others rename or remove it.
 */
import { closeSync, constants, openSync } from "node:fs";

/** UV_FS_O_EXLOCK, for which Node has no name: shared with nobody. Elsewhere it means something else. */
const exclusive = 0x1000_0000;

export class ExclusiveFile {
  readonly #descriptor: number;

  /** Makes it. @throws the system's error. */
  constructor(path: string) {
    this.#descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | exclusive, 0o600);
  }

  /** Only what is certain counts as let go. */
  static isHeld(path: string): boolean {
    try {
      closeSync(openSync(path, constants.O_RDWR | exclusive));
      return false;
    } catch (error) {
      return !(error instanceof Error && "code" in error && error.code === "ENOENT");
    }
  }

  close(done: () => void): void {
    closeSync(this.#descriptor);
    done();
  }
}
