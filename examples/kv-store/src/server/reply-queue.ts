/** Replies of one connection in the order of its commands, whichever is ready first. */
import type { Reply } from "../resp/reply.js";

/** A reply, or what makes it: run when its turn has come to be sent, so that no more replies are held than the peer takes. */
export type ReadyReply = Reply | (() => Reply);

export interface ReplySlot {
  /** Of the request that waits for it. */
  readonly requestBytes: number;
  /** Undefined until the command has ended. */
  reply: ReadyReply | undefined;
}

export class ReplyQueue {
  #slots: ReplySlot[] = [];
  #head = 0;
  /** Ready, and nothing before it is missing. */
  #ready = "";
  #requestBytes = 0;

  /** Commands whose replies have not been taken yet, other than those ready. */
  get size(): number {
    return this.#slots.length - this.#head;
  }

  /** Bytes of the requests whose replies had to be waited for and have not been taken yet. */
  get requestBytes(): number {
    return this.#requestBytes;
  }

  /** A place for a reply to come. */
  open(requestBytes: number): ReplySlot {
    const slot: ReplySlot = { requestBytes, reply: undefined };
    this.#slots.push(slot);
    this.#requestBytes += requestBytes;
    return slot;
  }

  /** A reply that is known at once, made at once if nothing is before it. */
  add(reply: ReadyReply): void {
    if (this.size === 0) this.#ready += made(reply);
    else this.#slots.push({ requestBytes: 0, reply });
  }

  /** Characters of the replies that were known at once and are ready. */
  get readyLength(): number {
    return this.#ready.length;
  }

  /**
   * The next replies that are ready and in turn, as few as make up `chars`; empty if there are none. One is made at least, and another
   * only while `mayGoOn`.
   */
  take(chars: number, mayGoOn: () => boolean): string {
    let text = this.#ready;
    this.#ready = "";
    while (this.#head < this.#slots.length && text.length < chars) {
      const next = this.#slots[this.#head];
      if (next?.reply === undefined) break;
      this.#head += 1;
      this.#requestBytes -= next.requestBytes;
      text += made(next.reply);
      if (!mayGoOn()) break;
    }
    this.#forgetTaken();
    return text;
  }

  #forgetTaken(): void {
    if (this.#head === this.#slots.length) {
      this.#slots = [];
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
  }
}

function made(reply: ReadyReply): Reply {
  return typeof reply === "string" ? reply : reply();
}
