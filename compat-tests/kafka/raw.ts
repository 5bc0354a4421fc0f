// Requests written by hand, for what no client library would send.
import { connect, type Socket } from 'node:net';

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const int64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);

/** A request with its length and a header of version 1. */
export function request(api: number, version: number, correlation: number, ...body: Buffer[]): Buffer {
  const all = Buffer.concat([int16(api), int16(version), int32(correlation), text('raw'), ...body]);
  return Buffer.concat([int32(all.length), all]);
}

export const apiVersions = (): Buffer => request(18, 0, 1);
export const metadata = (topic: string): Buffer => request(3, 1, 2, int32(1), text(topic));
export const findCoordinator = (group: string): Buffer => request(10, 0, 3, text(group));

export const joinGroup = (group: string): Buffer =>
  request(
    11,
    1,
    4,
    text(group),
    int32(10_000),
    int32(10_000),
    text(''),
    text('consumer'),
    int32(1),
    text('range'),
    int32(4),
    int32(0),
  );

export const saslHandshake = (mechanism: string): Buffer => request(17, 1, 7, text(mechanism));

/** Version 4: the first without anything of later protocols. */
export function fetch(topic: string, partition: number, offset: number, bytesMax: number): Buffer {
  const limits = [int32(-1), int32(0), int32(1), int32(bytesMax), Buffer.from([0])];
  return request(1, 4, 5, ...limits, int32(1), text(topic), int32(1), int32(partition), int64(offset), int32(bytesMax));
}

/** Version 3 with bytes that need not be a batch. */
export function produce(topic: string, partition: number, records: Buffer): Buffer {
  const head = [int16(-1), int16(-1), int32(5_000), int32(1), text(topic)];
  return request(0, 3, 6, ...head, int32(1), int32(partition), int32(records.length), records);
}

export function dial(bootstrap: string): Promise<Socket> {
  const [host, port] = bootstrap.split(':') as [string, string];
  return new Promise((done, fail) => {
    const socket = connect(Number(port), host, () => done(socket));
    socket.once('error', fail);
    socket.on('error', () => undefined);
  });
}
