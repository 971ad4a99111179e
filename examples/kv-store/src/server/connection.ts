/**
 * One client's connection: takes requests off the socket, has them run (executor.ts), answers in order, in one write per
 * turn, and ends cleanly. Nothing here knows a command.
 *
 * Back-pressure: nothing more is sent to a peer, or read from it, while it does not take its replies; nor is more read while
 * too much of it is in flight.
 *
 * Turns: what takes long, such as many looks at all keys, is left after a while for a later turn of the loop, so that all others
 * have theirs.
 */
import type { Socket } from "node:net";
import { error as errorLine } from "../resp/reply.js";
import { ProtocolError, RequestParser } from "../resp/request-parser.js";
import type { Holder } from "./client-memory.js";
import { Executor } from "./executor.js";
import { ReplyQueue } from "./reply-queue.js";
import type { Service } from "./service.js";
import type { Session } from "./session.js";

/** Replies that are ready are written in pieces of about this many characters, which are bytes. */
const writeChars = 1024 * 1024;

/** A turn ends with the request, or the reply, that is being made then: enough for thousands that are quick. */
const turnMs = 10;

export class Connection implements Holder {
  readonly #socket: Socket;
  readonly #service: Service;
  readonly #session: Session;
  readonly #parser: RequestParser;
  readonly #replies = new ReplyQueue();
  readonly #executor: Executor;
  /** The peer has sent all it will send. */
  #peerEnded = false;
  /** The parser may hold whole requests that could not be taken yet. */
  #requestsWait = false;
  /** The socket holds replies that the peer does not take. */
  #stalled = false;
  #continueScheduled = false;
  #turnEndsAtMs = 0;
  /** Has the rest done; until then nothing is. */
  #nextTurn: NodeJS.Immediate | undefined;

  constructor(socket: Socket, session: Session, service: Service) {
    this.#socket = socket;
    this.#session = session;
    this.#service = service;
    this.#parser = new RequestParser(service.limits.request);
    session.heldBytes = () => this.heldBytes;
    this.#executor = new Executor(service, session, this.#replies, () => this.#scheduleContinue());
    socket.setNoDelay(true);
    socket.setKeepAlive(true, service.limits.keepAliveMs);
    socket.on("data", (chunk: Buffer) => this.#received(chunk));
    socket.on("end", () => {
      this.#peerEnded = true;
      this.#run();
    });
    socket.on("drain", () => {
      this.#stalled = false;
      socket.setTimeout(0);
      this.#run();
    });
    socket.on("timeout", () => socket.destroy());
    // What was begun for a peer that is gone takes its course.
    socket.on("close", () => {
      this.#executor.abandon();
      service.memory.forget(this);
    });
  }

  /** Takes no more commands; ends the connection when those taken have been answered. */
  finish(): void {
    this.#session.closing = true;
    this.#run();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Bytes of what is not whole, not answered, or not taken. */
  get heldBytes(): number {
    return this.#parser.heldBytes + this.#executor.waitingBytes + this.#replies.requestBytes + this.#replies.readyLength + this.#socket.writableLength;
  }

  #received(chunk: Buffer): void {
    if (this.#session.closing) return;
    this.#parser.push(chunk);
    this.#requestsWait = true;
    this.#run();
  }

  /** Runs all requests that have arrived and may start, and sends what has been answered, which makes room for more of them. */
  #run(): void {
    if (this.#nextTurn !== undefined) return;
    this.#turnEndsAtMs = performance.now() + turnMs;
    do {
      this.#takeRequests();
      this.#executor.endTurn();
      this.#flush();
    } while (this.#requestsWait && this.#mayTake() && !this.#turnIsOver());
    if (!this.#socket.destroyed) this.#service.memory.changed(this);
    const over = this.#turnIsOver();
    if (over) this.#scheduleTurn();
    if (this.#session.closing) return;
    if (this.#mayTake() && !over) this.#socket.resume();
    else this.#socket.pause();
  }

  #turnIsOver(): boolean {
    return performance.now() >= this.#turnEndsAtMs;
  }

  #scheduleTurn(): void {
    this.#nextTurn = setImmediate(() => {
      this.#nextTurn = undefined;
      this.#run();
    });
  }

  #takeRequests(): void {
    try {
      while (this.#mayTake() && !this.#turnIsOver()) {
        const args = this.#parser.next();
        if (args === undefined) {
          this.#requestsWait = false;
          return;
        }
        this.#executor.take(args);
        if (this.#replies.readyLength > writeChars) this.#flush();
      }
    } catch (cause) {
      this.#failProtocol(cause);
    }
  }

  #mayTake(): boolean {
    if (this.#executor.blocked || this.#stalled || this.#session.closing || this.#socket.destroyed) return false;
    const { pipelinedCommands, pipelinedBytes } = this.#service.limits;
    return this.#replies.size < pipelinedCommands && this.#replies.requestBytes < pipelinedBytes;
  }

  #failProtocol(cause: unknown): void {
    if (!(cause instanceof ProtocolError)) throw cause;
    this.#session.closing = true;
    this.#service.statistics.errorReplies += 1;
    this.#replies.add(errorLine(`ERR ${cause.message}`));
  }

  /** Answers come in many microtasks of one turn: they are taken up together when all have come. */
  #scheduleContinue(): void {
    if (this.#continueScheduled) return;
    this.#continueScheduled = true;
    process.nextTick(() => {
      this.#continueScheduled = false;
      this.#executor.resume();
      this.#run();
    });
  }

  #flush(): void {
    if (!this.#socket.writable) return;
    const mayGoOn = (): boolean => !this.#turnIsOver();
    while (!this.#stalled) {
      const text = this.#replies.take(writeChars, mayGoOn);
      if (text === "") break;
      if (!this.#socket.write(text, "latin1")) this.#stall();
      if (!mayGoOn()) break;
    }
    const answered = this.#replies.size === 0 && !this.#executor.blocked && !this.#stalled;
    const noMore = this.#session.closing || (this.#peerEnded && !this.#requestsWait);
    if (answered && noMore) this.#end();
  }

  #stall(): void {
    this.#stalled = true;
    this.#socket.pause();
    // Node counts from the last bytes that the peer took.
    this.#socket.setTimeout(this.#service.limits.stalledWriteTimeoutMs);
  }

  /** Sends what is left and a FIN; what the peer still sends is thrown away, so that it can read to the end. */
  #end(): void {
    this.#session.closing = true;
    this.#socket.end();
    this.#socket.resume();
    setTimeout(() => this.#socket.destroy(), this.#service.limits.lingerMs).unref();
  }
}
