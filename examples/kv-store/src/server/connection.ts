/**
 * One client's connection: reads requests, runs them in order, and answers in order, in one write per turn.
 *
 * Order within a connection, whatever is pipelined: a read sees the writes before it and none behind it. Writes follow
 * each other without waiting, as the order of submitting is the order of the log; reads share a barrier; only a write
 * behind a read waits for the read's answer, and with sequential reads a read for the writes' answers.
 *
 * Back-pressure: nothing more is read from the peer while it owes us taking its replies, or too much is in flight.
 */
import type { Socket } from "node:net";
import { errorReply } from "../commands/command-error.js";
import type { Call, CommandKind, CommandSpec } from "../commands/spec.js";
import { error as errorLine, type Reply } from "../resp/reply.js";
import { ProtocolError, RequestParser } from "../resp/request-parser.js";
import { refusal } from "./refusal.js";
import { ReplyQueue } from "./reply-queue.js";
import type { Service } from "./service.js";
import type { Session } from "./session.js";

/** Replies that are ready are written in pieces of about this many characters, which are bytes. */
const writeChars = 1024 * 1024;

interface Waiting {
  readonly spec: CommandSpec;
  readonly call: Call;
}

export class Connection {
  readonly #socket: Socket;
  readonly #service: Service;
  readonly #session: Session;
  readonly #parser: RequestParser;
  readonly #replies = new ReplyQueue();
  #readsInFlight = 0;
  #writesInFlight = 0;
  /** A command that must not start before what is in flight has been answered. */
  #waiting: Waiting | undefined;
  /** The peer has sent all it will send. */
  #peerEnded = false;
  /** The socket holds replies that the peer does not take. */
  #stalled = false;
  #flushScheduled = false;

  constructor(socket: Socket, session: Session, service: Service) {
    this.#socket = socket;
    this.#session = session;
    this.#service = service;
    this.#parser = new RequestParser(service.limits.request);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, service.limits.keepAliveMs);
    socket.on("data", (chunk: Buffer) => {
      if (session.closing) return;
      this.#parser.push(chunk);
      this.#run();
    });
    socket.on("end", () => {
      this.#peerEnded = true;
      this.#flush();
    });
    socket.on("drain", () => {
      this.#stalled = false;
      socket.setTimeout(0);
      this.#run();
    });
    socket.on("timeout", () => socket.destroy());
    // A peer that is gone needs no answer, and what it sent takes its course; "close" follows.
    socket.on("error", () => socket.destroy());
  }

  /** Takes no more commands; ends the connection when those taken have been answered. */
  finish(): void {
    this.#session.closing = true;
    this.#flush();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Runs all requests that have arrived and may start, then answers what can be answered. */
  #run(): void {
    try {
      while (this.#mayTake()) {
        const args = this.#parser.next();
        if (args === undefined) break;
        this.#take(args);
        if (this.#replies.readyLength > writeChars) this.#flush();
      }
    } catch (cause) {
      this.#failProtocol(cause);
    }
    this.#flush();
    if (this.#session.closing) return;
    if (this.#mayTake()) this.#socket.resume();
    else this.#socket.pause();
  }

  #mayTake(): boolean {
    if (this.#waiting !== undefined || this.#stalled || this.#session.closing || this.#socket.destroyed) return false;
    return this.#replies.size < this.#service.limits.pipelinedCommands;
  }

  #failProtocol(cause: unknown): void {
    if (!(cause instanceof ProtocolError)) throw cause;
    this.#session.closing = true;
    this.#service.statistics.errorReplies += 1;
    this.#replies.add(errorLine(`ERR ${cause.message}`));
  }

  #take(args: readonly string[]): void {
    this.#service.statistics.commandsProcessed += 1;
    const call: Call = { args, protocol: this.#session.protocol, session: this.#session, service: this.#service };
    let spec: CommandSpec;
    try {
      spec = this.#service.commands.find(args);
    } catch (cause) {
      this.#replies.add(this.#failure(cause));
      return;
    }
    if (this.#mustWait(spec.kind)) this.#waiting = { spec, call };
    else this.#start(spec, call);
  }

  #mustWait(kind: CommandKind): boolean {
    if (kind === "write") return this.#readsInFlight > 0;
    return kind === "read" && this.#service.reads === "sequential" && this.#writesInFlight > 0;
  }

  #start(spec: CommandSpec, call: Call): void {
    const refused = refusal(this.#service, spec.kind);
    if (refused !== undefined) {
      this.#service.statistics.errorReplies += 1;
      this.#replies.add(errorLine(refused));
      return;
    }
    try {
      const reply = spec.handler(call);
      if (typeof reply === "string") this.#replies.add(reply);
      else this.#await(spec.kind, reply);
    } catch (cause) {
      this.#replies.add(this.#failure(cause));
    }
  }

  #await(kind: CommandKind, reply: Promise<Reply>): void {
    const slot = this.#replies.open();
    if (kind === "read") this.#readsInFlight += 1;
    if (kind === "write") this.#writesInFlight += 1;
    const settle = (text: Reply): void => {
      if (kind === "read") this.#readsInFlight -= 1;
      if (kind === "write") this.#writesInFlight -= 1;
      slot.text = text;
      this.#scheduleFlush();
    };
    reply.then(settle, (cause: unknown) => settle(this.#failure(cause)));
  }

  #failure(cause: unknown): Reply {
    this.#service.statistics.errorReplies += 1;
    return errorLine(errorReply(cause));
  }

  /** Answers come in many microtasks of one turn; one write takes them all. */
  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    process.nextTick(() => {
      this.#flushScheduled = false;
      this.#startWaiting();
      this.#run();
    });
  }

  #startWaiting(): void {
    const waiting = this.#waiting;
    if (waiting === undefined || this.#mustWait(waiting.spec.kind)) return;
    this.#waiting = undefined;
    // Of a peer that is gone nothing new is begun.
    if (!this.#socket.destroyed) this.#start(waiting.spec, waiting.call);
  }

  #flush(): void {
    if (!this.#socket.writable) return;
    for (let text = this.#replies.take(writeChars); text !== ""; text = this.#replies.take(writeChars)) {
      if (!this.#socket.write(text, "latin1")) this.#stall();
    }
    const answered = this.#replies.size === 0 && this.#waiting === undefined && !this.#stalled;
    if (answered && (this.#peerEnded || this.#session.closing)) this.#end();
  }

  /** Sends what is left and a FIN; then what the peer still sends is thrown away, so that it can read to the end. */
  #end(): void {
    this.#session.closing = true;
    this.#socket.end();
    this.#socket.resume();
    setTimeout(() => this.#socket.destroy(), this.#service.limits.lingerMs).unref();
  }

  #stall(): void {
    if (this.#socket.writableLength > this.#service.limits.outputBytes) {
      this.#socket.destroy();
      return;
    }
    this.#stalled = true;
    this.#socket.pause();
    // Node counts from the last bytes that the peer took.
    this.#socket.setTimeout(this.#service.limits.stalledWriteTimeoutMs);
  }
}
