// ali-ons as producer and push consumer, in a process of its own: its timed tasks outlive its close and throw from
// nowhere when they find no broker any more. `node ons-client.ts NAME_SERVER` prints one line of JSON and waits to be
// ended.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

interface OnsMessage {
  body: Buffer;
}
interface Sent {
  sendStatus: string;
  msgId: string;
  queueOffset: number;
}
interface Ons {
  Producer: new (options: object) => { ready(): Promise<void>; send(message: object): Promise<Sent> };
  Consumer: new (
    options: object,
  ) => {
    ready(): Promise<void>;
    subscribe(topic: string, tags: string, handler: (message: OnsMessage) => Promise<unknown>): void;
    on(event: 'error', listener: (error: Error) => void): void;
  };
  Message: new (topic: string, tags: string, body: string | Buffer) => object;
}

/** What the client saw: the first send, the bodies received, how often its handler failed, its errors. */
export interface Told {
  readonly first: Sent;
  readonly received: readonly string[];
  readonly failures: number;
  readonly errors: readonly string[];
}

const RECEIVED = 43;

async function scenario(nameSrv: string): Promise<Told> {
  const ons = createRequire(import.meta.url)('ali-ons') as Ons;
  const nothing = (): void => undefined;
  const logger = { info: nothing, warn: nothing, error: nothing, debug: nothing };
  // What the client wants for fetching name servers over HTTP, which it does not do with `nameSrv`.
  const httpclient = { request: nothing };
  const common = { nameSrv, logger, httpclient };
  const producer = new ons.Producer({ ...common, producerGroup: 'PG', instanceName: 'p' });
  await producer.ready();
  const first = await producer.send(new ons.Message('Orders', 'A', 'first'));
  const received: string[] = [];
  const errors: string[] = [];
  let failures = 0;
  const consumer = new ons.Consumer({
    ...common,
    consumerGroup: 'CG',
    instanceName: 'c',
    consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
    rebalanceInterval: 200,
    pollNameServerInteval: 500,
    pullTimeDelayMillsWhenException: 100,
  });
  consumer.on('error', (error) => errors.push(error.message));
  consumer.subscribe('Orders', 'A || C', async (message) => {
    const body = message.body.toString();
    if (body === 'again' && failures++ === 0) throw new Error('not yet');
    received.push(body);
  });
  await consumer.ready();
  for (const [tag, body] of [
    ['A', 'second'],
    ['B', 'not for us'],
    ['C', 'third'],
    ['C', 'again'],
  ] as const) {
    await producer.send(new ons.Message('Orders', tag, body));
  }
  for (let n = 0; n < 40; n++) await producer.send(new ons.Message('Orders', 'A', `m${n}`));
  while (received.length < RECEIVED || failures === 0) await sleep(20);
  return { first, received, failures, errors };
}

const [nameServer] = process.argv.slice(2);
if (nameServer !== undefined) {
  console.log(JSON.stringify(await scenario(nameServer)));
  setInterval(() => undefined, 60_000);
}
