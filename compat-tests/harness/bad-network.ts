// A TCP proxy on loopback that behaves like a bad network: it delays, swallows what the server says, and cuts. Its address
// is what the server has to advertise, so that clients come back through it.
import { connect, createServer, type Server, type Socket } from 'node:net';

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

export class BadNetwork {
  readonly #listener: Server;
  readonly #links = new Set<Link>();
  #targetPort = 0;
  #isSwallowing = false;
  /** How long each piece of the server's answers is held. */
  delayMs = 0;
  /** Connections that were cut, and pieces of answers that never arrived. */
  readonly counts = { cut: 0, swallowed: 0 };

  private constructor(listener: Server) {
    this.#listener = listener;
    listener.on('connection', (client) => this.#linked(client));
  }

  static async listen(): Promise<BadNetwork> {
    const listener = createServer();
    await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
    return new BadNetwork(listener);
  }

  get port(): number {
    return (this.#listener.address() as { port: number }).port;
  }

  /** Connections are refused until there is a target. */
  forwardTo(port: number): void {
    this.#targetPort = port;
  }

  #linked(client: Socket): void {
    const link: Link = { client, server: connect(this.#targetPort, '127.0.0.1') };
    this.#links.add(link);
    const end = (): void => {
      this.#links.delete(link);
      client.destroy();
      link.server.destroy();
    };
    for (const socket of [client, link.server]) socket.on('error', () => undefined).on('close', end);
    client.on('data', (bytes) => link.server.write(bytes));
    link.server.on('data', (bytes) => {
      if (this.#isSwallowing) this.counts.swallowed++;
      else if (this.delayMs === 0) client.write(bytes);
      else setTimeout(() => client.write(bytes), this.delayMs);
    });
  }

  /** From now on the server hears its clients, and they do not hear it, until the connections are cut. */
  swallow(): void {
    this.#isSwallowing = true;
  }

  /** Ends all connections in the middle of whatever they carry. */
  cut(): void {
    this.#isSwallowing = false;
    for (const { client, server } of this.#links) {
      this.counts.cut++;
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((done) => this.#listener.close(done));
  }
}
