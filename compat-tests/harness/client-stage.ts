// One broker and the client processes that the tests of a file use against it, started at their first use and ended with
// the file.
import { fresh } from './suite.ts';
import { after, before } from './test.ts';

interface Ends {
  stop(): Promise<unknown>;
}

export class ClientStage<Broker extends Ends, Library extends string, Client extends Ends> {
  readonly #clients = new Map<string, Promise<Client>>();
  readonly #startClient: (library: Library, broker: Broker) => Promise<Client>;
  #broker: Broker | null = null;

  constructor(startBroker: () => Promise<Broker>, startClient: (library: Library, broker: Broker) => Promise<Client>) {
    this.#startClient = startClient;
    before(async () => {
      this.#broker = await startBroker();
    });
    after(async () => {
      for (const client of this.#clients.values()) await client.then((one) => one.stop()).catch(() => undefined);
      await this.#broker?.stop();
    });
  }

  get broker(): Broker {
    return this.#broker!;
  }

  /** The process of this library that the tests share. */
  client(library: Library): Promise<Client> {
    let client = this.#clients.get(library);
    if (!client) this.#clients.set(library, (client = this.#startClient(library, this.broker)));
    return client;
  }

  /** Another process of this library, ended with the stage at the latest. */
  another(library: Library): Promise<Client> {
    const client = this.#startClient(library, this.broker);
    this.#clients.set(fresh('another'), client);
    return client;
  }
}
