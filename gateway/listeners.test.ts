// Sockets: who may bind what, taken ports, limits, TLS, and what clients are told. All on loopback with real sockets.
import { once } from 'node:events';
import net from 'node:net';
import os from 'node:os';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import type { ConnectionInfo } from '../adapters/adapter.ts';
import { protocols } from './adapters.ts';
import { loadConfig } from './config/load.ts';
import { listenerSpecs } from './listener-specs.ts';
import { BindError, type ListenerSpec, Listeners, refusalOfOpenBind } from './listeners.ts';
import { isLoopback, plainAddress } from './loopback.ts';
import { testCertificate, testKey } from './testing/certificate.ts';

const nothing = () => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const running: Listeners[] = [];
const accepted: { stream: Duplex; info: ConnectionInfo }[] = [];
afterEach(() => {
  for (const listeners of running.splice(0)) listeners.close();
  for (const { stream } of accepted.splice(0)) stream.destroy();
});

function spec(changes: Partial<ListenerSpec> = {}): ListenerSpec {
  return {
    name: 'kafka',
    key: 'kafka',
    title: 'Kafka',
    host: '127.0.0.1',
    port: 0,
    advertisedHost: null,
    advertisedPort: null,
    tls: 'off',
    connectionsMax: 100,
    handshakeTimeoutMs: 5_000,
    // Answers in capitals.
    accept: (stream, info) => {
      accepted.push({ stream, info });
      stream.on('error', nothing);
      stream.on('data', (chunk: Buffer) => stream.write(chunk.toString('latin1').toUpperCase()));
    },
    ...changes,
  };
}

async function bind(...specs: ListenerSpec[]): Promise<Listeners> {
  const listeners = new Listeners({ backlogConnectionsMax: 16, tls: { cert: testCertificate, key: testKey }, log });
  running.push(listeners);
  await listeners.bind(specs);
  return listeners;
}

async function echoed(socket: net.Socket | tls.TLSSocket, text: string): Promise<string> {
  socket.write(text);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return answer.toString('latin1');
}

async function connected(listeners: Listeners, name = 'kafka'): Promise<net.Socket> {
  const socket = net.connect(listeners.bound(name)!.port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

describe('addresses', () => {
  it('knows loopback from the rest', () => {
    for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost', 'LOCALHOST', '::ffff:127.0.0.1']) {
      expect(isLoopback(host), host).toBe(true);
    }
    for (const host of [
      '0.0.0.0',
      '::',
      '10.0.0.1',
      '128.0.0.1',
      'fe80::1',
      '::ffff:10.0.0.1',
      'localhost.evil',
      '',
      '127.1',
    ]) {
      expect(isLoopback(host), host).toBe(false);
    }
    expect(plainAddress('::ffff:10.0.0.7')).toBe('10.0.0.7');
    expect(plainAddress('fe80::1')).toBe('fe80::1');
  });

  it('refuses to bind beyond loopback, naming what and the two ways out', async () => {
    expect(await refusalOfOpenBind([spec(), spec({ host: '::1' }), spec({ host: 'localhost' })])).toBeNull();
    const text = await refusalOfOpenBind([spec(), spec({ title: 'AMQP', host: '0.0.0.0', port: 5672 })]);
    expect(text).toContain('AMQP on 0.0.0.0:5672');
    expect(text).not.toContain('Kafka');
    expect(text).toContain('rosettamq user add');
    expect(text).toContain('--insecure');
  });

  it('looks names up, as this machine\u2019s own may mean an outer address', async () => {
    const host = os.hostname();
    const { lookup } = await import('node:dns/promises');
    const addresses = await lookup(host, { all: true }).catch(() => []);
    const isInner = addresses.every(({ address }) => isLoopback(address));
    expect((await refusalOfOpenBind([spec({ host })])) === null).toBe(isInner);
  });
});

describe('binding', () => {
  it('says which port, which protocol and how to move it, for every taken port, and binds none', async () => {
    const first = await bind(spec(), spec({ name: 'b', key: 'rocketmq.broker', title: 'RocketMQ broker' }));
    const [one, two] = [first.bound('kafka')!.port, first.bound('b')!.port];
    const free = spec({ name: 'c', key: 'amqp', title: 'AMQP' });
    const second = new Listeners({ backlogConnectionsMax: 16, tls: null, log });
    const error: unknown = await second
      .bind([
        spec({ port: one }),
        free,
        spec({ name: 'b', key: 'rocketmq.broker', title: 'RocketMQ broker', port: two }),
      ])
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BindError);
    const lines = (error as Error).message.split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain(`port ${one} for Kafka on 127.0.0.1 is taken`);
    expect(lines[0]).toContain('--kafka-port PORT, ROSETTAMQ_KAFKA_PORT=PORT or kafka.port');
    expect(lines[1]).toContain(
      '--rocketmq-broker-port PORT, ROSETTAMQ_ROCKETMQ_BROKER_PORT=PORT or rocketmq.broker.port',
    );
    const { port } = second.bound('c')!;
    const [refused] = (await once(net.connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
    expect(refused.code).toBe('ECONNREFUSED');
  });

  it('says when an address is not of this machine', async () => {
    await expect(bind(spec({ host: '203.0.113.7' }))).rejects.toThrow(
      /203\.0\.113\.7 for Kafka is no address of this machine/,
    );
    await expect(bind(spec({ host: 'no.such.host.invalid' }))).rejects.toThrow(/no address of this machine/);
  });
});

describe('connections', () => {
  it('tell where they came in and what to tell the client', async () => {
    const listeners = await bind(
      spec(),
      spec({ name: 'all', host: '0.0.0.0' }),
      spec({ name: 'moved', advertisedHost: 'mq.example', advertisedPort: 19092 }),
    );
    const socket = net.connect(listeners.bound('all')!.port, '127.0.0.2');
    expect(await echoed(socket, 'abc')).toBe('ABC');
    const { info } = accepted[0]!;
    expect(info).toMatchObject({
      listener: 'all',
      tls: false,
      local: { host: '127.0.0.2' },
      remote: { port: socket.localPort },
    });
    // The wildcard tells the address the client came to; a listener with one of its own tells that.
    expect(info.advertised('all')).toEqual({ host: '127.0.0.2', port: listeners.bound('all')!.port });
    expect(info.advertised('kafka')).toEqual({ host: '127.0.0.1', port: listeners.bound('kafka')!.port });
    expect(info.advertised('moved')).toEqual({ host: 'mq.example', port: 19092 });
    expect(info.advertised('absent')).toBeNull();
    expect(listeners.reachesBeyondLoopback).toBe(true);
    socket.destroy();
  });

  it('beyond the limit are closed, and counted', async () => {
    const listeners = await bind(spec({ connectionsMax: 2 }));
    const held = [await connected(listeners), await connected(listeners)];
    const third = await connected(listeners);
    third.resume();
    await once(third, 'close');
    expect([...listeners.refusals()]).toContainEqual(['kafka', 'limit', 1]);
    expect(await echoed(held[1]!, 'x')).toBe('X');
    held[0]!.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await echoed(await connected(listeners), 'y')).toBe('Y');
    held[1]!.destroy();
  });

  it('that say nothing in time are closed; one that spoke is the adapter\u2019s to judge', async () => {
    const listeners = await bind(spec({ handshakeTimeoutMs: 150 }));
    const silent = await connected(listeners);
    const speaking = await connected(listeners);
    expect(await echoed(speaking, 'a')).toBe('A');
    silent.resume();
    await once(silent, 'close');
    expect([...listeners.refusals()]).toContainEqual(['kafka', 'silent', 1]);
    expect(await echoed(speaking, 'b')).toBe('B');
    speaking.destroy();
  });

  it('go on when the listener is closed', async () => {
    const listeners = await bind(spec());
    const socket = await connected(listeners);
    expect(await echoed(socket, 'a')).toBe('A');
    listeners.close();
    expect(await echoed(socket, 'b')).toBe('B');
    await once(net.connect(listeners.bound('kafka')!.port, '127.0.0.1'), 'error');
    socket.destroy();
  });
});

describe('TLS', () => {
  const secure = async (listeners: Listeners) => {
    const socket = tls.connect({
      port: listeners.bound('kafka')!.port,
      host: '127.0.0.1',
      ca: testCertificate,
      servername: 'localhost',
    });
    await once(socket, 'secureConnect');
    return socket;
  };

  it('required: TLS is served, plain text is not', async () => {
    const listeners = await bind(spec({ tls: 'required' }));
    const socket = await secure(listeners);
    expect(await echoed(socket, 'tls')).toBe('TLS');
    expect(accepted[0]!.info).toMatchObject({ tls: true, remote: { port: socket.localPort } });
    const plain = await connected(listeners);
    plain.write('plain text that is no TLS record');
    plain.resume();
    plain.on('error', nothing);
    await once(plain, 'close');
    expect(accepted).toHaveLength(1);
    expect([...listeners.refusals()]).toContainEqual(['kafka', 'tls', 1]);
    socket.destroy();
  });

  it('permissive: the first byte decides, and no byte is lost', async () => {
    const listeners = await bind(spec({ tls: 'permissive' }));
    const socket = await secure(listeners);
    expect(await echoed(socket, 'tls')).toBe('TLS');
    const plain = await connected(listeners);
    expect(await echoed(plain, 'plain')).toBe('PLAIN');
    expect(accepted.map(({ info }) => info.tls)).toEqual([true, false]);
    socket.destroy();
    plain.destroy();
  });

  it('a certificate that the client shows says who it is, where one is asked for and verifies', async () => {
    const asking = new Listeners({
      backlogConnectionsMax: 16,
      tls: { cert: testCertificate, key: testKey, ca: testCertificate, requestCert: true, rejectUnauthorized: false },
      log,
    });
    running.push(asking);
    await asking.bind([spec({ tls: 'required' })]);
    const names: (string | null | undefined)[] = [];
    for (const shown of [{ cert: testCertificate, key: testKey }, {}]) {
      const socket = tls.connect({
        port: asking.bound('kafka')!.port,
        host: '127.0.0.1',
        ca: testCertificate,
        servername: 'localhost',
        ...shown,
      });
      await once(socket, 'secureConnect');
      await echoed(socket, 'tls');
      names.push(accepted.at(-1)!.info.peerName);
      socket.destroy();
    }
    expect(names).toEqual(['localhost', null]);
  });

  it('a handshake that never ends is ended', async () => {
    const listeners = await bind(spec({ tls: 'required', handshakeTimeoutMs: 150 }));
    const socket = await connected(listeners);
    socket.write(Buffer.from([0x16, 3, 1]));
    socket.on('error', nothing);
    socket.resume();
    await once(socket, 'close');
    expect(accepted).toHaveLength(0);
  });
});

describe('the listeners of one protocol', () => {
  it('tell their clients addresses of their own', async () => {
    const flags = {
      'kafka.port': '0',
      'kafka.internal.enabled': 'true',
      'kafka.internal.port': '0',
      'kafka.internal.advertisedHost': 'inner.example',
      'kafka.external.enabled': 'true',
      'kafka.external.port': '0',
      'kafka.external.advertisedHost': 'outer.example',
      'kafka.external.advertisedPort': '443',
      'http.enabled': 'false',
    };
    const { config } = loadConfig({ flags: new Map(Object.entries(flags)), env: {}, cwd: '/', file: undefined });
    const kafka = protocols.filter(({ name }) => name === 'kafka');
    const specs = listenerSpecs(config, kafka, (_protocol, stream, info) => void accepted.push({ stream, info }));
    const listeners = new Listeners({ backlogConnectionsMax: 10, tls: null, log });
    running.push(listeners);
    await listeners.bind(specs);
    const told: (string | number)[][] = [];
    for (const name of ['kafka', 'kafka-internal', 'kafka-external']) {
      const { port } = listeners.bound(name)!;
      const socket = net.connect(port, '127.0.0.1');
      await expect.poll(() => accepted.some(({ info }) => info.listener === name)).toBe(true);
      const { info } = accepted.find((one) => one.info.listener === name)!;
      const { host, port: advertised } = info.advertised(info.listener)!;
      told.push([host, advertised === port ? 'its own port' : advertised]);
      socket.destroy();
    }
    expect(told).toEqual([
      ['127.0.0.1', 'its own port'],
      ['inner.example', 'its own port'],
      ['outer.example', 443],
    ]);
  });
});
