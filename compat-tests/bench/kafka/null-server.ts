// A Kafka broker that stores nothing: it tells of any topic that it has as many partitions as the number at the end of its
// name says, and yes to every batch. What a client reaches here is the client's own bound on this machine. It speaks the
// lowest versions that current clients accept, which need no flexible encoding. `node null-server.ts PORT`.
import { createServer, type Socket } from 'node:net';

const port = Number(process.argv[2]);
const HOST = '127.0.0.1';

/** Bytes that are written one field after another. */
class Answer {
  readonly #bytes = Buffer.alloc(64 * 1_024);
  #at = 4;

  i8(value: number): this {
    this.#at = this.#bytes.writeInt8(value, this.#at);
    return this;
  }

  i16(value: number): this {
    this.#at = this.#bytes.writeInt16BE(value, this.#at);
    return this;
  }

  i32(value: number): this {
    this.#at = this.#bytes.writeInt32BE(value, this.#at);
    return this;
  }

  i64(value: number): this {
    this.#at = this.#bytes.writeBigInt64BE(BigInt(value), this.#at);
    return this;
  }

  text(value: string): this {
    this.i16(Buffer.byteLength(value));
    this.#at += this.#bytes.write(value, this.#at);
    return this;
  }

  done(): Buffer {
    this.#bytes.writeInt32BE(this.#at - 4, 0);
    return this.#bytes.subarray(0, this.#at);
  }
}

interface Request {
  readonly version: number;
  readonly bytes: Buffer;
  /** Where the body begins. */
  readonly at: number;
}

type Answering = (request: Request, answer: Answer) => void;

const textAt = (bytes: Buffer, at: number): string => bytes.toString('utf8', at + 2, at + 2 + bytes.readInt16BE(at));

function metadata({ bytes, at }: Request, answer: Answer): void {
  const count = Math.max(0, bytes.readInt32BE(at));
  answer.i32(0).i32(1).i32(1).text(HOST).i32(port).i16(-1).text('null').i32(1).i32(count);
  let next = at + 4;
  for (let i = 0; i < count; i++) {
    const name = textAt(bytes, next);
    next += 2 + bytes.readInt16BE(next);
    const partitions = Number(/\d+$/.exec(name)?.[0] ?? 1);
    answer.i16(0).text(name).i8(0).i32(partitions);
    for (let index = 0; index < partitions; index++) answer.i16(0).i32(index).i32(1).i32(1).i32(1).i32(1).i32(1);
  }
}

function produce({ bytes, at }: Request, answer: Answer): void {
  let next = at + 2 + Math.max(0, bytes.readInt16BE(at)) + 6;
  const topics = bytes.readInt32BE(next);
  next += 4;
  answer.i32(topics);
  for (let i = 0; i < topics; i++) {
    const name = textAt(bytes, next);
    next += 2 + bytes.readInt16BE(next);
    const partitions = bytes.readInt32BE(next);
    next += 4;
    answer.text(name).i32(partitions);
    for (let j = 0; j < partitions; j++) {
      answer.i32(bytes.readInt32BE(next)).i16(0).i64(0).i64(-1);
      next += 8 + bytes.readInt32BE(next + 4);
    }
  }
  answer.i32(0);
}

const initProducerId: Answering = (_, answer) => answer.i32(0).i16(0).i64(1).i16(0);

/** By API key: the highest version, and its answer. */
const SERVED: ReadonlyMap<number, readonly [number, Answering]> = new Map<number, readonly [number, Answering]>([
  [0, [3, produce]],
  [3, [4, metadata]],
  [18, [2, apiVersions]],
  [22, [1, initProducerId]],
]);

function apiVersions({ version }: Request, answer: Answer): void {
  answer.i16(version > 2 ? 35 : 0).i32(SERVED.size);
  for (const [key, [highest]] of SERVED) answer.i16(key).i16(0).i16(highest);
  if (version === 1 || version === 2) answer.i32(0);
}

function reply(socket: Socket, frame: Buffer): void {
  const served = SERVED.get(frame.readInt16BE(4));
  if (!served) return void socket.destroy();
  const answer = new Answer().i32(frame.readInt32BE(8));
  const at = 14 + Math.max(0, frame.readInt16BE(12));
  served[1]({ version: frame.readInt16BE(6), bytes: frame, at }, answer);
  socket.write(answer.done());
}

createServer((socket) => {
  let pieces: Buffer[] = [];
  let held = 0;
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on('data', (piece) => {
    pieces.push(piece);
    held += piece.length;
    // Pieces are joined only when a frame is complete, so that a large one is copied once.
    if (held >= 4 && pieces[0]!.length >= 4 && held < 4 + pieces[0]!.readInt32BE(0)) return;
    let bytes = pieces.length === 1 ? piece : Buffer.concat(pieces);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      const end = 4 + bytes.readInt32BE(0);
      reply(socket, bytes.subarray(0, end));
      bytes = bytes.subarray(end);
    }
    pieces = bytes.length > 0 ? [bytes] : [];
    held = bytes.length;
  });
}).listen(port, HOST);
