/**
 * Puts to etcd over one connection: gRPC as it is on the wire, which is frames of HTTP/2 with protobuf in them. Just this one call, so that the
 * client takes as little as possible of the cores that it shares with the servers: Node's own HTTP/2 costs several times as much for each call.
 */
import { connect, type Socket } from "node:net";

const frameType = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;
const flags = { ack: 1, endStream: 1, endHeaders: 4 } as const;
const frameHeaderBytes = 9;
/** RFC 9113, 6.9.2: what a receiver takes before it says that there is room again. */
const initialWindow = 65_535;
const settingInitialWindow = 4;
const largestWindow = 2 ** 31 - 1;

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  answered: boolean;
}

export class EtcdConnection {
  readonly #socket: Socket;
  readonly #headers: Buffer;
  readonly #waiting = new Map<number, Waiting>();
  #received: Buffer = Buffer.alloc(0);
  #nextStream = 1;
  #window = initialWindow;

  private constructor(socket: Socket, authority: string) {
    this.#socket = socket;
    this.#headers = headerBlock({
      ":method": "POST", ":scheme": "http", ":path": "/etcdserverpb.KV/Put", ":authority": authority, te: "trailers", "content-type": "application/grpc",
    });
    const window = Buffer.alloc(6);
    window.writeUInt16BE(settingInitialWindow);
    window.writeUInt32BE(largestWindow, 2);
    socket.setNoDelay(true);
    socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(frameType.settings, 0, 0, window), frame(frameType.windowUpdate, 0, 0, uint32(largestWindow - initialWindow))]));
    socket.on("data", (chunk: Buffer) => { this.#read(chunk); });
    socket.on("error", (error) => { this.#fail(error); });
    socket.on("close", () => { this.#fail(new Error("etcd closed the connection")); });
  }

  static async open(host: string, port: number): Promise<EtcdConnection> {
    const socket = connect({ host, port });
    await new Promise<void>((resolve, reject) => { socket.once("connect", resolve).once("error", reject); });
    return new EtcdConnection(socket, `${host}:${port}`);
  }

  /** Resolves when etcd has answered that it is done. */
  put(key: string, value: string): Promise<void> {
    const message = Buffer.concat([field(1, key), field(2, value)]);
    const data = Buffer.concat([Buffer.from([0]), uint32(message.length), message]);
    if (this.#window < data.length) return Promise.reject(new Error("more is under way than etcd's window of the connection takes"));
    this.#window -= data.length;
    const stream = this.#nextStream;
    this.#nextStream += 2;
    this.#socket.write(Buffer.concat([frame(frameType.headers, flags.endHeaders, stream, this.#headers), frame(frameType.data, flags.endStream, stream, data)]));
    return new Promise((resolve, reject) => { this.#waiting.set(stream, { resolve, reject, answered: false }); });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const input = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    let at = 0;
    while (input.length - at >= frameHeaderBytes) {
      const end = at + frameHeaderBytes + input.readUIntBE(at, 3);
      if (input.length < end) break;
      this.#take(input.readUInt8(at + 3), input.readUInt8(at + 4), input.readUInt32BE(at + 5), input.subarray(at + frameHeaderBytes, end));
      at = end;
    }
    this.#received = input.subarray(at);
  }

  #take(type: number, flag: number, stream: number, payload: Buffer): void {
    if (type === frameType.settings && (flag & flags.ack) === 0) this.#socket.write(frame(frameType.settings, flags.ack, 0, Buffer.alloc(0)));
    else if (type === frameType.ping && (flag & flags.ack) === 0) this.#socket.write(frame(frameType.ping, flags.ack, 0, payload));
    else if (type === frameType.windowUpdate && stream === 0) this.#window += payload.readUInt32BE();
    else if (type === frameType.goAway) this.#fail(new Error("etcd ends the connection"));
    else if (type === frameType.reset) this.#settle(stream, false);
    else if (type === frameType.data || type === frameType.headers) this.#answer(type, flag, stream);
  }

  /** What was done has a message in its answer; what was refused has only headers. */
  #answer(type: number, flag: number, stream: number): void {
    const waiting = this.#waiting.get(stream);
    if (waiting === undefined) return;
    if (type === frameType.data) waiting.answered = true;
    if ((flag & flags.endStream) !== 0) this.#settle(stream, waiting.answered);
  }

  #settle(stream: number, done: boolean): void {
    const waiting = this.#waiting.get(stream);
    this.#waiting.delete(stream);
    if (done) waiting?.resolve();
    else waiting?.reject(new Error("etcd refused a put"));
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#socket.destroy();
  }
}

function frame(type: number, flag: number, stream: number, payload: Buffer): Buffer {
  const result = Buffer.alloc(frameHeaderBytes + payload.length);
  result.writeUIntBE(payload.length, 0, 3);
  result.writeUInt8(type, 3);
  result.writeUInt8(flag, 4);
  result.writeUInt32BE(stream, 5);
  payload.copy(result, frameHeaderBytes);
  return result;
}

/** RFC 7541, 6.2.2: literals that are not indexed, the shortest thing to write that every peer reads. */
function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(Object.entries(headers).map(([name, value]) => Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)])));
}

/** A field of bytes in protobuf, shorter than 16 kB. */
function field(number: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
