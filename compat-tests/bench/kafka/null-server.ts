// A Kafka broker that stores nothing: it tells of any topic that it has as many partitions as the number at the end of its
// name says, and yes to every batch. Who reads gets the largest batch that came so far again and again, without an end, and
// all partitions in a group of its own. What a client reaches here is the client's own bound on this machine. It speaks
// the lowest versions that current clients accept, which need no flexible encoding. `node null-server.ts PORT`.
import { createServer, type Socket } from 'node:net';

const port = Number(process.argv[2]);
const HOST = '127.0.0.1';
/** The end of every partition. */
const END = 2 ** 40;
/** In a record batch: what its last offset is above its first one. */
const LAST_DELTA_AT = 23;

let batch: Buffer = Buffer.alloc(0);

/** Bytes that are written one field after another, and batches between them. */
class Answer {
  readonly #bytes = Buffer.alloc(64 * 1_024);
  readonly #pieces: Buffer[] = [];
  #at = 4;
  #from = 0;

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

  bytes(value: Buffer): this {
    this.i32(value.length);
    this.#at += value.copy(this.#bytes, this.#at);
    return this;
  }

  /** The batch, as it is but for its first offset. */
  batch(base: number): this {
    this.i64(base);
    this.#pieces.push(this.#bytes.subarray(this.#from, this.#at), batch.subarray(8));
    this.#from = this.#at;
    return this;
  }

  done(): Buffer[] {
    const pieces = [...this.#pieces, this.#bytes.subarray(this.#from, this.#at)];
    this.#bytes.writeInt32BE(pieces.reduce((sum, { length }) => sum + length, 0) - 4, 0);
    return pieces;
  }
}

interface Request {
  readonly version: number;
  readonly bytes: Buffer;
  /** Where the body begins. */
  readonly at: number;
}

type Answering = (request: Request, answer: Answer) => unknown;

const textAt = (bytes: Buffer, at: number): string => bytes.toString('utf8', at + 2, at + 2 + bytes.readInt16BE(at));
/** Behind the text at `at`; one of length -1 is null. */
const afterText = (bytes: Buffer, at: number): number => at + 2 + Math.max(0, bytes.readInt16BE(at));

function metadata({ bytes, at }: Request, answer: Answer): void {
  const count = Math.max(0, bytes.readInt32BE(at));
  answer.i32(0).i32(1).i32(1).text(HOST).i32(port).i16(-1).text('null').i32(1).i32(count);
  let next = at + 4;
  for (let i = 0; i < count; i++) {
    const name = textAt(bytes, next);
    next = afterText(bytes, next);
    const partitions = Number(/\d+$/.exec(name)?.[0] ?? 1);
    answer.i16(0).text(name).i8(0).i32(partitions);
    for (let index = 0; index < partitions; index++) answer.i16(0).i32(index).i32(1).i32(1).i32(1).i32(1).i32(1);
  }
}

/** Answers topics and their partitions; `partition` answers the one at `at` and returns where the next begins. */
function each({ bytes }: Request, at: number, answer: Answer, partition: (at: number) => number): void {
  const topics = bytes.readInt32BE(at);
  let next = at + 4;
  answer.i32(topics);
  for (let i = 0; i < topics; i++) {
    answer.text(textAt(bytes, next));
    next = afterText(bytes, next);
    const partitions = bytes.readInt32BE(next);
    next += 4;
    answer.i32(partitions);
    for (let j = 0; j < partitions; j++) {
      answer.i32(bytes.readInt32BE(next));
      next = partition(next);
    }
  }
}

const produce: Answering = (request, answer) => {
  const { bytes } = request;
  each(request, afterText(bytes, request.at) + 6, answer, (at) => {
    const end = at + 8 + bytes.readInt32BE(at + 4);
    if (end - at - 8 > batch.length) batch = Buffer.from(bytes.subarray(at + 8, end));
    answer.i16(0).i64(0).i64(-1);
    return end;
  });
  answer.i32(0);
};

const fetch: Answering = (request, answer) => {
  const { bytes } = request;
  const records = batch.length > 0 ? batch.readInt32BE(LAST_DELTA_AT) + 1 : 0;
  let left = records > 0 ? Math.max(1, Math.floor(bytes.readInt32BE(request.at + 12) / batch.length)) : 0;
  answer.i32(0);
  each(request, request.at + 17, answer, (at) => {
    const from = Number(bytes.readBigInt64BE(at + 4));
    const batches = Math.min(left, Math.max(1, Math.floor(bytes.readInt32BE(at + 12) / batch.length)));
    left -= batches;
    answer
      .i16(0)
      .i64(END)
      .i64(END)
      .i32(-1)
      .i32(batches * batch.length);
    for (let i = 0; i < batches; i++) answer.batch(from + i * records);
    return at + 16;
  });
};

const listOffsets: Answering = (request, answer) =>
  each(request, request.at + 4, answer, (at) => {
    answer
      .i16(0)
      .i64(-1)
      .i64(request.bytes.readBigInt64BE(at + 4) === -1n ? END : 0);
    return at + 12;
  });

const offsetFetch: Answering = (request, answer) =>
  each(request, afterText(request.bytes, request.at), answer, (at) => {
    answer.i64(-1).i16(-1).i16(0);
    return at + 4;
  });

const offsetCommit: Answering = (request, answer) =>
  each(request, afterText(request.bytes, afterText(request.bytes, request.at) + 4) + 8, answer, (at) => {
    answer.i16(0);
    return afterText(request.bytes, at + 12);
  });

const findCoordinator: Answering = (_, answer) => answer.i16(0).i32(1).text(HOST).i32(port);

const bytesAt = (bytes: Buffer, at: number): Buffer => bytes.subarray(at + 4, at + 4 + bytes.readInt32BE(at));

/** Everybody leads a group of one, with the first protocol it names. */
const joinGroup: Answering = ({ bytes, at }, answer) => {
  const protocols = afterText(bytes, afterText(bytes, afterText(bytes, at) + 8));
  const name = protocols + 4;
  const metadata = bytesAt(bytes, afterText(bytes, name));
  answer.i32(0).i16(0).i32(1).text(textAt(bytes, name)).text('member').text('member');
  answer.i32(1).text('member').bytes(metadata);
};

const syncGroup: Answering = ({ bytes, at }, answer) => {
  const assignments = afterText(bytes, afterText(bytes, at) + 4);
  answer.i16(0).bytes(bytesAt(bytes, afterText(bytes, assignments + 4)));
};

const agree: Answering = (_, answer) => answer.i16(0);

const initProducerId: Answering = (_, answer) => answer.i32(0).i16(0).i64(1).i16(0);

/** By API key: the highest version, and its answer. */
const SERVED: ReadonlyMap<number, readonly [number, Answering]> = new Map<number, readonly [number, Answering]>([
  [0, [3, produce]],
  [1, [4, fetch]],
  [2, [1, listOffsets]],
  [3, [4, metadata]],
  [8, [2, offsetCommit]],
  [9, [1, offsetFetch]],
  [10, [0, findCoordinator]],
  [11, [2, joinGroup]],
  [12, [0, agree]],
  [13, [0, agree]],
  [14, [0, syncGroup]],
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
  socket.cork();
  for (const piece of answer.done()) socket.write(piece);
  socket.uncork();
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
