// Asks a name server whether a broker has registered (request 106, the cluster's brokers): a broker listens earlier.
import { connect } from 'node:net';

const HEADER = JSON.stringify({ code: 106, flag: 0, language: 'JAVA', opaque: 1, version: 479, extFields: {} });

export function hasBroker(namesrv: string): Promise<boolean> {
  const [host, port] = namesrv.split(':') as [string, string];
  const request = Buffer.alloc(8 + HEADER.length);
  request.writeInt32BE(4 + HEADER.length, 0);
  request.writeInt32BE(HEADER.length, 4);
  request.write(HEADER, 8);
  return new Promise((done) => {
    const socket = connect({ host, port: Number(port) }, () => socket.write(request));
    let bytes = Buffer.alloc(0);
    const end = (answer: boolean): void => {
      socket.destroy();
      done(answer);
    };
    socket.setTimeout(2_000, () => end(false));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length < 4 || bytes.length < 4 + bytes.readInt32BE(0)) return;
      end(/"brokerAddrs":\{[^}]/.test(bytes.toString()));
    });
  });
}
