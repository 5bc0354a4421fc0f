// An AMQP broker that stores nothing: it says yes to logins and declarations and confirms every publish. What a publisher
// reaches here is the client's own bound on this machine. `node null-server.ts PORT`.
import { createServer, type Socket } from 'node:net';
import { type MethodName, methodKey, methods } from '../../../specs/amqp/methods.ts';
import { type Fields, FRAME, frame, methodPayload } from '../../amqp/wire.ts';

const keyOf = (name: MethodName): number => methodKey(methods[name].classId, methods[name].methodId);
const answer = (name: MethodName, fields: Fields = {}): Buffer => methodPayload(name, fields);

const CAPABILITIES = { publisher_confirms: true, 'basic.nack': true, exchange_exchange_bindings: true };
const TUNE = { channelMax: 2_047, frameMax: 131_072, heartbeat: 0 };
const ANSWERS = new Map<number, Buffer>([
  [keyOf('connection.start-ok'), answer('connection.tune', TUNE)],
  [keyOf('connection.open'), answer('connection.open-ok')],
  [keyOf('connection.close'), answer('connection.close-ok')],
  [keyOf('channel.open'), answer('channel.open-ok')],
  [keyOf('channel.close'), answer('channel.close-ok')],
  [keyOf('exchange.declare'), answer('exchange.declare-ok')],
  [keyOf('queue.declare'), answer('queue.declare-ok', { queue: 'null' })],
  [keyOf('queue.bind'), answer('queue.bind-ok')],
  [keyOf('basic.qos'), answer('basic.qos-ok')],
  [keyOf('confirm.select'), answer('confirm.select-ok')],
]);
const PUBLISH = keyOf('basic.publish');
const HEADER_BYTES = 8;

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  let rest: Buffer = Buffer.alloc(0);
  /** By channel, publishes so far and those confirmed. */
  const published = new Map<number, number>();
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const replies: Buffer[] = [];
    const touched = new Set<number>();
    let at = 0;
    while (bytes.length - at >= 8) {
      if (bytes[at] === 0x41) {
        const start = {
          versionMinor: 9,
          serverProperties: { capabilities: CAPABILITIES },
          mechanisms: 'PLAIN',
          locales: 'en_US',
        };
        replies.push(frame(FRAME.method, 0, answer('connection.start', start)));
        at += HEADER_BYTES;
        continue;
      }
      const length = bytes.readUInt32BE(at + 3) + 8;
      if (bytes.length - at < length) break;
      const channel = bytes.readUInt16BE(at + 1);
      if (bytes[at] === FRAME.method) {
        const key = bytes.readUInt32BE(at + 7);
        const reply = ANSWERS.get(key);
        if (key === PUBLISH) {
          published.set(channel, (published.get(channel) ?? 0) + 1);
          touched.add(channel);
        } else if (reply) replies.push(frame(FRAME.method, channel, reply));
      }
      at += length;
    }
    rest = bytes.subarray(at);
    // A publish whose body is still on its way is confirmed a little early: nothing is stored anyhow.
    for (const channel of touched)
      replies.push(
        frame(FRAME.method, channel, answer('basic.ack', { deliveryTag: published.get(channel), multiple: true })),
      );
    if (replies.length > 0) socket.write(Buffer.concat(replies));
  });
}

createServer(serve).listen(Number(process.argv[2]), '127.0.0.1');
