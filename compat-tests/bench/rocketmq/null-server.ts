// A RocketMQ name server and broker that stores nothing: it answers a route and says yes to every send. What a client
// reaches here is the client's own bound on this machine. `node null-server.ts PORT`.
import { createServer, type Socket } from 'node:net';

const port = Number(process.argv[2]);
const QUEUES = 16;
const route = JSON.stringify({
  brokerDatas: [{ brokerAddrs: { '0': `127.0.0.1:${port}` }, brokerName: 'null', cluster: 'null' }],
  filterServerTable: {},
  queueDatas: [{ brokerName: 'null', perm: 6, readQueueNums: QUEUES, topicSysFlag: 0, writeQueueNums: QUEUES }],
});
const MESSAGE_ID = '7F00000100002A9F0000000000000000';
const codeOf = /"code":(\d+)/;
const opaqueOf = /"opaque":(\d+)/;
const queueOf = /"e":"(\d+)"/;

let offset = 0;

/** The answer to one request's header. */
function answer(header: string): Buffer {
  const code = Number(codeOf.exec(header)?.[1]);
  const opaque = opaqueOf.exec(header)?.[1] ?? '0';
  const isSend = code === 310 || code === 320 || code === 10;
  const body = code === 105 ? route : '';
  const ext = isSend
    ? `,"extFields":{"msgId":"${MESSAGE_ID}","queueId":"${queueOf.exec(header)?.[1] ?? '0'}","queueOffset":"${offset++}"}`
    : ',"extFields":{}';
  const reply = `{"code":0,"flag":1,"language":"JAVA","opaque":${opaque},"serializeTypeCurrentRPC":"JSON","version":479${ext}}`;
  const out = Buffer.allocUnsafe(8 + reply.length + body.length);
  out.writeInt32BE(4 + reply.length + body.length, 0);
  out.writeInt32BE(reply.length, 4);
  out.write(reply, 8, 'latin1');
  out.write(body, 8 + reply.length, 'latin1');
  return out;
}

createServer((socket: Socket) => {
  socket.setNoDelay(true);
  let left: Buffer = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    const bytes = left.length === 0 ? chunk : Buffer.concat([left, chunk]);
    const replies: Buffer[] = [];
    let at = 0;
    while (bytes.length - at >= 8) {
      const length = bytes.readInt32BE(at);
      if (bytes.length - at < 4 + length) break;
      const headerLength = bytes.readInt32BE(at + 4) & 0xffffff;
      replies.push(answer(bytes.toString('latin1', at + 8, at + 8 + headerLength)));
      at += 4 + length;
    }
    left = bytes.subarray(at);
    if (replies.length > 0) socket.write(replies.length === 1 ? replies[0]! : Buffer.concat(replies));
  });
}).listen(port, '127.0.0.1');
