// The composition root with a stub broker and a stub protocol: order of start and stop, what a failed start leaves
// behind, and what happens when the journal is lost.
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import pino from 'pino';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Adapter, AdapterContext } from '../adapters/adapter.ts';
import type { Protocol } from './adapters.ts';
import { bannerText } from './banner.ts';
import { loadConfig } from './config/load.ts';
import { Gateway, type Parts, StartError } from './launcher.ts';
import { BindError } from './listeners.ts';
import { StubBroker } from './testing/stub-broker.ts';

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'rosettamq-launch-'));
afterAll(() => fs.rmSync(dir, { recursive: true }));
const silent = pino({ level: 'silent' });

/** A protocol that sends every byte back, and one world of parts around it that writes down what happens. */
class World {
  readonly events: string[] = [];
  readonly brokers: StubBroker[] = [];
  readonly deaths: Error[] = [];
  openFailures = 0;
  users: Record<string, string> = {};
  gateway: Gateway | null = null;

  readonly parts: Parts = {
    protocols: [this.#protocol()],
    openBroker: async ({ codecs, disk }) => {
      if (this.openFailures-- > 0) throw new Error('cannot open');
      this.events.push(`open with ${codecs.map(({ name }) => name).join()} in ${path.basename(disk.root)}`);
      const broker = new StubBroker();
      for (const [name, password] of Object.entries(this.users)) broker.passwords.set(name, password);
      const close = broker.close.bind(broker);
      broker.close = () => {
        this.events.push('broker closed');
        return close();
      };
      this.brokers.push(broker);
      return broker.verbs;
    },
  };

  async launch(flags: Record<string, string> = {}): Promise<Gateway> {
    const ports = { 'kafka.port': '0', 'http.port': '0', dataDir: path.join(dir, 'data') };
    const { config } = loadConfig({
      flags: new Map(Object.entries({ ...ports, ...flags })),
      env: {},
      cwd: dir,
      file: undefined,
    });
    this.gateway = await Gateway.launch(config, this.parts, silent, (cause) => this.deaths.push(cause));
    return this.gateway;
  }

  #protocol(): Protocol {
    return {
      name: 'echo',
      limits: ({ kafka: { frameBytesMax, connectionsMax, handshakeTimeoutMs } }) => ({
        frameBytesMax,
        connectionsMax,
        handshakeTimeoutMs,
      }),
      listeners: ({ kafka }) => [
        {
          name: 'kafka',
          key: 'kafka',
          title: 'Echo',
          config: kafka,
          connectionLine: (host, port) => `echo.servers=${host}:${port}`,
        },
      ],
      load: async () => ({
        reserved: [],
        codec: { format: 9, name: 'echo', decode: () => [] },
        create: (context) => this.#adapter(context),
      }),
    };
  }

  #adapter(context: AdapterContext): Adapter {
    this.events.push(`adapter created ${JSON.stringify(context.limits)} ${JSON.stringify(context.settings)}`);
    const streams = new Set<Duplex>();
    return {
      protocol: 'echo',
      counts: { requests: 5 },
      get connections() {
        return streams.size;
      },
      accept: (stream) => {
        streams.add(stream);
        stream.on('error', () => undefined);
        stream.on('close', () => streams.delete(stream));
        stream.pipe(stream);
      },
      drain: async (deadlineMs) => {
        const leftMs = deadlineMs - context.clock.nowMs();
        const { phase } = this.gateway!.status;
        this.events.push(`drained while ${phase} with ${Math.round(leftMs / 1_000)} s left`);
        for (const stream of streams) stream.end();
      },
      cut: () => {
        this.events.push('cut');
        for (const stream of streams) stream.destroy();
      },
    };
  }
}

let world = new World();
afterEach(async () => {
  await world.gateway?.stop();
  world = new World();
});

const address = (name: string) => world.gateway!.listeners.bound(name)!;

async function echoes(text: string): Promise<boolean> {
  const socket = net.connect(address('kafka').port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(text);
  const answer = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => [''])]);
  socket.destroy();
  return String(answer[0]) === text;
}

const ready = async (): Promise<number> =>
  (await fetch(`http://127.0.0.1:${address('http').port}/health/ready`).catch(() => ({ status: 0 }))).status;

describe('start and stop', () => {
  it('opens, serves, drains in reverse order, and leaves nothing behind', async () => {
    const gateway = await world.launch({ autoCreateTopics: 'false', 'kafka.frameBytesMax': '9999' });
    expect(await echoes('hello')).toBe(true);
    expect(await ready()).toBe(200);
    const [kafka, http] = [address('kafka').port, address('http').port];
    await gateway.stop();
    expect(world.events).toEqual([
      'open with echo in data',
      'adapter created {"frameBytesMax":9999,"connectionsMax":10000,"handshakeTimeoutMs":10000} {"namespace":"default","autoCreateTopics":false,"productName":"RosettaMQ","productVersion":"0.1.0"}',
      'drained while stopping with 10 s left',
      'broker closed',
    ]);
    for (const port of [kafka, http]) {
      const [error] = (await once(net.connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
      expect(error.code).toBe('ECONNREFUSED');
    }
    expect(fs.readdirSync(path.join(dir, 'data'))).toEqual(['lock']);
    await world.launch();
  });

  it('a taken port undoes what was started, the directory is free again', async () => {
    const holder = net.createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as net.AddressInfo;
    await expect(world.launch({ 'kafka.port': String(port) })).rejects.toThrow(BindError);
    expect(world.events.at(-1)).toBe('broker closed');
    holder.close();
    await world.launch();
  });

  it('a step that fails while stopping keeps no other from being stopped', async () => {
    const gateway = await world.launch();
    const { port } = address('kafka');
    world.brokers[0]!.close = () => Promise.reject(new Error('EIO'));
    await expect(gateway.stop()).rejects.toThrow('EIO');
    const [error] = (await once(net.connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    await world.launch();
  });

  it('a directory in use is refused before anything is opened', async () => {
    await world.launch();
    const second = new World();
    await expect(second.launch()).rejects.toThrow(/data is in use by process \d+/);
    expect(second.events).toEqual([]);
    expect(await echoes('still here')).toBe(true);
  });

  it('TLS files that cannot be read are the user\u2019s to mend, before the disk is touched', async () => {
    const flags = { 'kafka.tls': 'required', 'tls.certFile': '/absent/cert.pem', 'tls.keyFile': '/absent/key.pem' };
    const dataDir = path.join(dir, 'untouched');
    await expect(world.launch({ ...flags, dataDir })).rejects.toThrow(/tls\.certFile: cannot read \/absent\/cert\.pem/);
    expect(fs.existsSync(dataDir)).toBe(false);
  });
});

describe('while no user exists', () => {
  it('refuses more than loopback, binds nothing, and says the two ways out', async () => {
    const refused: unknown = await world.launch({ bindAddress: '0.0.0.0' }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StartError);
    expect((refused as Error).message).toMatch(
      /Echo on 0\.0\.0\.0:0\n.*HTTP on 0\.0\.0\.0:0\n.*\n.*user add.*\n.*--insecure/,
    );
    expect(world.events.at(-1)).toBe('broker closed');
  });

  it('binds it with --insecure, loudly, and with a user', async () => {
    await world.launch({ bindAddress: '0.0.0.0', insecure: 'true' });
    expect(bannerText(world.gateway!)).toMatch(/authentication +OFF AND REACHABLE FROM OUTSIDE/);
    await world.gateway!.stop();
    world.users = { ann: 'x' };
    await world.launch({ bindAddress: '0.0.0.0' });
    expect(bannerText(world.gateway!)).toMatch(/authentication +on/);
  });
});

it('the banner has what a client needs, ready to copy', async () => {
  const gateway = await world.launch({ 'kafka.advertisedHost': 'mq.example', 'store.flush': 'async' });
  const lines = bannerText(gateway).split('\n');
  expect(lines[0]).toBe('RosettaMQ 0.1.0');
  expect(lines.map((line) => line.trim().replace(/ {2,}/, ' = '))).toEqual([
    'RosettaMQ 0.1.0',
    `data = ${path.join(dir, 'data')}`,
    'durability = async: a message is acknowledged before it is synced, up to 200 ms of them can be lost in a power cut',
    'authentication = off, so this machine only (loopback): create the first user with `rosettamq user add NAME`',
    `Echo = echo.servers=mq.example:${address('kafka').port}`,
    `HTTP = http://127.0.0.1:${address('http').port}/`,
    '',
  ]);
});

describe('when the journal is lost', () => {
  it('cuts everybody, folds again, and serves the new state only', async () => {
    await world.launch();
    const socket = net.connect(address('kafka').port, '127.0.0.1');
    socket.write('x');
    await once(socket, 'data');
    const closed = once(socket, 'close');
    world.brokers[0]!.signals.journalLost!(new Error('EIO'));
    expect(world.gateway!.status.phase).toBe('down');
    await closed;
    expect(await echoes('nobody')).toBe(false);
    expect(await ready()).toBe(503);
    while (world.gateway!.status.phase !== 'up') await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await echoes('again')).toBe(true);
    expect(await ready()).toBe(200);
    expect(world.events.filter((event) => !event.startsWith('adapter created'))).toEqual([
      'open with echo in data',
      'cut',
      'broker closed',
      'open with echo in data',
    ]);
    // The second loss is one of the second broker.
    world.brokers[1]!.signals.journalLost!(new Error('EIO'));
    expect(world.gateway!.status.phase).toBe('down');
    while (world.gateway!.status.phase !== 'up') await new Promise((resolve) => setTimeout(resolve, 20));
    expect(world.brokers).toHaveLength(3);
  });

  it('gives up after some tries, and says the process has to end', async () => {
    await world.launch();
    world.openFailures = 99;
    world.brokers[0]!.signals.journalLost!(new Error('EIO'));
    while (world.deaths.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(world.deaths[0]!.message).toContain('could not be opened again');
    expect(99 - world.openFailures).toBe(5);
  });
});
