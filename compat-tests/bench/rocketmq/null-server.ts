// A RocketMQ name server and broker that stores nothing: it answers a route and says yes to every send. What a client
// reaches here is the client's own bound on this machine. Headers are JSON, or binary as RocketMQ's benchmark programs
// send them; an answer has the form of its request. `node null-server.ts PORT`.
import { createServer, type Socket } from 'node:net';

const port = Number(process.argv[2]);
const QUEUES = 16;
const ROUTE = Buffer.from(
  JSON.stringify({
    brokerDatas: [{ brokerAddrs: { '0': `127.0.0.1:${port}` }, brokerName: 'null', cluster: 'null' }],
    filterServerTable: {},
    queueDatas: [{ brokerName: 'null', perm: 6, readQueueNums: QUEUES, topicSysFlag: 0, writeQueueNums: QUEUES }],
  }),
);
const MESSAGE_ID = '7F00000100002A9F0000000000000000';
const NOTHING = Buffer.alloc(0);
const GET_ROUTE = 105;
const SENDS = new Set([10, 310, 320]);

let offset = 0;

const bodyOf = (code: number): Buffer => (code === GET_ROUTE ? ROUTE : NOTHING);
const fieldsOf = (code: number): Record<string, string> =>
  SENDS.has(code) ? { msgId: MESSAGE_ID, queueId: '0', queueOffset: String(offset++) } : {};

function jsonReply(code: number, opaque: number): Buffer {
  const fields = JSON.stringify(fieldsOf(code));
  return Buffer.from(
    `{"code":0,"extFields":${fields},"flag":1,"language":"JAVA","opaque":${opaque},"serializeTypeCurrentRPC":"JSON","version":479}`,
  );
}

/** code i16, language i8, version i16, opaque i32, flag i32, remark (i32 + bytes), fields (i32 + {i16 + key, i32 + value}). */
function binaryReply(code: number, opaque: number): Buffer {
  const out = Buffer.alloc(160);
  let at = out.writeInt16BE(479, 3);
  at = out.writeInt32BE(opaque, at);
  at = out.writeInt32BE(1, at);
  at = out.writeInt32BE(0, at);
  const lengthAt = at;
  at += 4;
  for (const [key, value] of Object.entries(fieldsOf(code))) {
    at = out.writeInt16BE(key.length, at);
    at += out.write(key, at, 'latin1');
    at = out.writeInt32BE(value.length, at);
    at += out.write(value, at, 'latin1');
  }
  out.writeInt32BE(at - lengthAt - 4, lengthAt);
  return out.subarray(0, at);
}

/** The answer to one frame. */
function answer(frame: Buffer): Buffer {
  const isBinary = frame[4] === 1;
  let code: number;
  let opaque: number;
  if (isBinary) {
    code = frame.readInt16BE(8);
    opaque = frame.readInt32BE(13);
  } else {
    const header = frame.toString('latin1', 8, 8 + (frame.readInt32BE(4) & 0xffffff));
    code = Number(/"code":(\d+)/.exec(header)?.[1]);
    opaque = Number(/"opaque":(\d+)/.exec(header)?.[1]);
  }
  const header = isBinary ? binaryReply(code, opaque) : jsonReply(code, opaque);
  const body = bodyOf(code);
  const word = Buffer.alloc(8);
  word.writeInt32BE(4 + header.length + body.length, 0);
  word.writeUInt32BE(((isBinary ? 1 : 0) << 24) | header.length, 4);
  return Buffer.concat([word, header, body]);
}

createServer((socket: Socket) => {
  socket.setNoDelay(true);
  let left: Buffer = NOTHING;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    const bytes = left.length === 0 ? chunk : Buffer.concat([left, chunk]);
    const replies: Buffer[] = [];
    let at = 0;
    for (let length: number; bytes.length - at >= 8; at += length) {
      length = 4 + bytes.readInt32BE(at);
      if (bytes.length - at < length) break;
      replies.push(answer(bytes.subarray(at, at + length)));
    }
    left = bytes.subarray(at);
    if (replies.length > 0) socket.write(Buffer.concat(replies));
  });
}).listen(port, '127.0.0.1');
