// Configuration: precedence, messages, and that the schema, the type and the names agree.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Config } from './config.ts';
import { ConfigError, loadConfig } from './load.ts';
import { settingByKey, settings } from './settings.ts';
import { readEnvironment, readYaml } from './sources.ts';
import { nearest } from './suggest.ts';

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'rosettamq-config-'));
afterAll(() => fs.rmSync(dir, { recursive: true }));

function load(yaml: string | null, env: Record<string, string> = {}, flags: Record<string, string> = {}) {
  if (yaml !== null) fs.writeFileSync(path.join(dir, 'test.yaml'), yaml);
  return loadConfig({
    flags: new Map(Object.entries(flags)),
    env,
    cwd: dir,
    file: yaml === null ? undefined : 'test.yaml',
  });
}

function problems(yaml: string | null, env: Record<string, string> = {}, flags: Record<string, string> = {}): string[] {
  try {
    load(yaml, env, flags);
  } catch (error) {
    if (error instanceof ConfigError) return [...error.problems];
    throw error;
  }
  throw new Error('the configuration was accepted');
}

const listener = { enabled: true, bindAddress: null, advertisedHost: null, advertisedPort: null, tls: 'off' } as const;
const limits = { connectionsMax: 10_000, handshakeTimeoutMs: 10_000 };

// Typed as Config, so a key that only the type or only the schema has fails here.
const DEFAULTS: Config = {
  dataDir: './data',
  bindAddress: '127.0.0.1',
  insecure: false,
  autoCreateTopics: true,
  logLevel: 'info',
  drainTimeoutMs: 10_000,
  backlogConnectionsMax: 511,
  store: {
    flush: 'sync',
    flushIntervalMs: 200,
    segmentBytes: 128 * 1024 * 1024,
    reserveBytes: 8 * 1024 * 1024,
    retentionCheckIntervalMs: 10_000,
    hotCacheBytes: 64 * 1024 * 1024,
    coldCacheBytes: 32 * 1024 * 1024,
    indexCacheBytes: 32 * 1024 * 1024,
    ballastBytes: 16 * 1024 * 1024,
    snapshotIntervalMs: 60_000,
    retentionTimeMs: 72 * 3_600_000,
    retentionBytes: -1,
    messageBytesMax: 16 * 1024 * 1024,
    topicsMax: 100_000,
    groupsMax: 100_000,
    queuesPerTopicMax: 10_000,
  },
  tls: { certFile: null, keyFile: null, keyPassphrase: null, versionMin: 'TLSv1.2', clientCaFile: null },
  security: { masterKeyFile: null },
  rocketmq: {
    nameserver: { ...listener, port: 9876 },
    broker: { ...listener, port: 10911 },
    fast: { ...listener, port: 10909 },
    frameBytesMax: 16 * 1024 * 1024,
    ...limits,
    dedupeWindowMs: 0,
    sendsMax: 65_536,
    pullsMax: 8_192,
    requestsMax: 16_384,
    deferredBytesMax: 64 * 1024 * 1024,
  },
  kafka: {
    ...listener,
    port: 9092,
    frameBytesMax: 100 * 1024 * 1024,
    ...limits,
    loginFrameBytesMax: 65536,
    callsMax: 256,
    fetchBytesMax: 8388608,
    fetchWaitMsMax: 60000,
    heldBytesMax: 134217728,
    sessionTimeoutMsMin: 6000,
    sessionTimeoutMsMax: 1800000,
    groupMembersMax: 1000,
    memberBytesMax: 1048576,
    assignmentBytesMax: 16777216,
    offsetMetadataBytesMax: 4096,
    partitionsMax: 10000,
    defaultPartitions: 1,
    initialRebalanceDelayMs: 0,
    clampReplicas: true,
    reauthenticationMs: 0,
    offsetsRetentionMs: 604800000,
    telemetryIntervalMs: 60000,
    internal: { ...listener, enabled: false, port: 9093 },
    external: { ...listener, enabled: false, port: 9094 },
  },
  amqp: {
    ...listener,
    port: 5672,
    frameBytesMax: 128 * 1024,
    ...limits,
    frameBytesMaxBeforeTune: 8192,
    channelsPerConnectionMax: 2047,
    heartbeatS: 60,
    messageBytesMax: 16777216,
    unackedPerChannelMax: 100000,
    consumersPerChannelMax: 10000,
    contentBytesMax: 134217728,
    transactionBytesMax: 67108864,
    unwrittenBytesMax: 33554432,
    consumerTimeoutMs: 0,
    productName: '',
    productVersion: '',
    loginRefusedDelayMs: 1000,
    closeTimeoutMs: 3000,
  },
  http: {
    enabled: true,
    port: 8080,
    bindAddress: null,
    tls: 'off',
    bodyBytesMax: 1024 * 1024,
    requestTimeoutMs: 30_000,
    ...limits,
  },
};

describe('defaults and precedence', () => {
  it('has these defaults', () => {
    expect(load(null).config).toEqual(DEFAULTS);
  });

  it('prefers flag to environment to file to default, and says which', () => {
    const yaml = 'kafka: { port: 1 }\namqp: { port: 2 }\nhttp: { port: 3 }\n';
    const env = { ROSETTAMQ_KAFKA_PORT: '11', ROSETTAMQ_AMQP_PORT: '12' };
    const { config, origins } = load(yaml, env, { 'kafka.port': '21' });
    expect([config.kafka.port, config.amqp.port, config.http.port]).toEqual([21, 12, 3]);
    expect(origins.get('kafka.port')).toEqual({ kind: 'flag', name: '--kafka-port' });
    expect(origins.get('amqp.port')).toEqual({ kind: 'environment', name: 'ROSETTAMQ_AMQP_PORT' });
    expect(origins.get('http.port')).toEqual({ kind: 'file', name: 'test.yaml', line: 3 });
    expect(origins.get('dataDir')).toEqual({ kind: 'default' });
  });

  it('reads rosettamq.yaml of the working directory when nobody names a file', () => {
    const cwd = fs.mkdtempSync(path.join(dir, 'cwd-'));
    fs.writeFileSync(path.join(cwd, 'rosettamq.yaml'), 'logLevel: debug\n');
    const loaded = loadConfig({ flags: new Map(), env: {}, cwd, file: undefined });
    expect([loaded.config.logLevel, loaded.file]).toEqual(['debug', 'rosettamq.yaml']);
  });

  it('takes an empty section and an empty file for nothing said', () => {
    expect(load('kafka:\n').config).toEqual(DEFAULTS);
    expect(load('').config).toEqual(DEFAULTS);
    expect(load('# only a comment\n').config).toEqual(DEFAULTS);
  });

  it('reads the same value from each source, whatever the setting', () => {
    fc.assert(
      fc.property(fc.constantFrom(...settings), fc.integer({ min: 0, max: 1 << 30 }), (setting, number) => {
        const text =
          setting.choices?.[number % setting.choices.length] ??
          (setting.type === 'boolean'
            ? String(number % 2 === 0)
            : setting.type === 'string'
              ? `x${number}`
              : String((setting.minimum ?? 0) + (number % ((setting.maximum ?? 0) - (setting.minimum ?? 0) + 1))));
        const nested = setting.path.reduceRight((inner, name) => `{ ${name}: ${inner} }`, text);
        // TLS without a certificate is refused, so it comes with one.
        const env = { ROSETTAMQ_TLS_CERT_FILE: 'c', ROSETTAMQ_TLS_KEY_FILE: 'k' };
        const byFlag = setting.isSecret ? null : loadOrProblem(null, env, { [setting.key]: text });
        const byEnv = loadOrProblem(null, { ...env, [setting.variable]: text });
        const byFile = loadOrProblem(nested, setting.path[0] === 'tls' ? {} : env);
        if (setting.path[0] !== 'tls') expect(byFile).toEqual(byEnv);
        if (byFlag !== null) expect(byFlag).toEqual(byEnv);
      }),
    );
    function loadOrProblem(yaml: string | null, env: Record<string, string>, flags: Record<string, string> = {}) {
      try {
        return load(yaml, env, flags).config;
      } catch (error) {
        // A contradiction names the place, which differs.
        return (error as Error).message.replaceAll(/\((environment|flag|test\.yaml)[^)]*\)/g, '(here)');
      }
    }
  });
});

describe('what is wrong is said with its place', () => {
  it('unknown keys: did you mean', () => {
    expect(problems('kafka:\n  prot: 9093\n')).toEqual([
      'test.yaml:2: unknown key kafka.prot; did you mean kafka.port?',
    ]);
    expect(problems('kafak: {}\n')).toEqual(['test.yaml:1: unknown key kafak; did you mean kafka?']);
    expect(problems('kafka: { Port: 1 }')).toEqual(['test.yaml:1: unknown key kafka.Port; did you mean kafka.port?']);
    expect(problems('somethingElseEntirely: 1')).toEqual([
      'test.yaml:1: unknown key somethingElseEntirely; `rosettamq config print` lists all keys',
    ]);
    expect(problems(null, { ROSETTAMQ_KAFKA_PROT: '1' })).toEqual([
      'unknown environment variable ROSETTAMQ_KAFKA_PROT; did you mean ROSETTAMQ_KAFKA_PORT?',
    ]);
  });

  it('wrong values: the value, its source, what is accepted', () => {
    expect(problems('kafka:\n  port: many\n')).toEqual([
      'kafka.port: "many" (test.yaml:2) is not a whole number from 0 to 65535',
    ]);
    expect(problems(null, { ROSETTAMQ_STORE_FLUSH: 'maybe' })).toEqual([
      'store.flush: "maybe" (environment ROSETTAMQ_STORE_FLUSH) is not one of sync, async',
    ]);
    expect(problems(null, {}, { 'amqp.port': '65536' })).toEqual([
      'amqp.port: 65536 (flag --amqp-port) is not a whole number from 0 to 65535',
    ]);
    expect(problems('insecure: 1')).toEqual(['insecure: 1 (test.yaml:1) is not true or false']);
    expect(problems('kafka: { port: 1.5 }')).toHaveLength(1);
    expect(problems('kafka: { port: { a: 1 } }')).toHaveLength(1);
    expect(problems('dataDir: ""')).toHaveLength(1);
    expect(problems('dataDir:')).toHaveLength(1);
  });

  it('all problems at once', () => {
    expect(problems('a: 1\nkafka: { port: x }\namqp: 3\n', { ROSETTAMQ_B: '1' })).toHaveLength(4);
  });

  it('a section given as a value', () => {
    expect(problems('amqp: 5672')).toEqual([
      'test.yaml:1: amqp is a section of keys (such as amqp.enabled), not a value',
    ]);
  });

  it('files that are no configuration', () => {
    expect(problems('- 1\n- 2\n')[0]).toContain('expected keys and values');
    expect(problems('a: [1\n')[0]).toMatch(/^test\.yaml:\d: not valid YAML/);
    expect(problems('dataDir: a\ndataDir: b\n')[0]).toMatch(/^test\.yaml:2: not valid YAML: .*unique/);
    expect(problems(`# ${'x'.repeat(1024 * 1024)}\n`)[0]).toContain('larger than 1048576 bytes');
    expect(() => loadConfig({ flags: new Map(), env: {}, cwd: dir, file: 'absent.yaml' })).toThrow(/absent\.yaml/);
    expect(() =>
      loadConfig({ flags: new Map(), env: { ROSETTAMQ_CONFIG: 'gone.yaml' }, cwd: dir, file: undefined }),
    ).toThrow(/gone\.yaml/);
  });

  it('anchors and aliases are followed, and end', () => {
    expect(load('kafka: &a { frameBytesMax: 8192 }\namqp: *a\n').config.amqp.frameBytesMax).toBe(8192);
    expect(problems('rocketmq: &a\n  nameserver: *a\n')).toEqual([
      expect.stringContaining('unknown key rocketmq.nameserver.nameserver'),
    ]);
    expect(problems('kafka: { port: [1] }')).toEqual([
      'kafka.port: a list or section (test.yaml:1) is not a whole number from 0 to 65535',
    ]);
  });

  it('contradictions between keys', () => {
    expect(problems('kafka: { port: 5672 }')).toEqual(['amqp.port: 5672 (default) is also kafka.port (test.yaml:1)']);
    expect(load('kafka: { port: 5672, enabled: false }').config.amqp.port).toBe(5672);
    expect(load('kafka: { port: 0 }\namqp: { port: 0 }').config.amqp.port).toBe(0);
    expect(problems('kafka: { tls: required }')).toEqual([
      'kafka.tls: "required" (test.yaml:1) needs tls.certFile, which is not set',
    ]);
    expect(problems('store: { segmentBytes: 16777216, reserveBytes: 4194305 }')[0]).toContain('more than a quarter');
    expect(load('store: { segmentBytes: 16777216 }').config.store.segmentBytes).toBe(16777216);
    expect(problems('amqp: { advertisedHost: 0.0.0.0 }')[0]).toContain('no address that a client can connect to');
  });

  it('never shows a secret', () => {
    const text = problems('tls: { keyPassphrase: [hunter2] }').join();
    expect(text).toContain('tls.keyPassphrase: the value (test.yaml:1) is not text');
    expect(text).not.toContain('hunter2');
  });

  it('never throws anything else, whatever the file holds', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.string({ unit: 'binary' })), (text) => {
        expect(() => readYaml(text, 'f')).not.toThrow();
      }),
    );
  });
});

describe('names', () => {
  it('follow from the path and are unique', () => {
    const setting = settingByKey.get('rocketmq.nameserver.advertisedHost')!;
    expect([setting.flag, setting.variable]).toEqual([
      '--rocketmq-nameserver-advertised-host',
      'ROSETTAMQ_ROCKETMQ_NAMESERVER_ADVERTISED_HOST',
    ]);
    expect(new Set(settings.map((s) => s.variable)).size).toBe(settings.length);
  });

  it('every setting has a default, a description, and a limit with a unit where it is a number', () => {
    for (const setting of settings) {
      expect(setting.description.length, setting.key).toBeGreaterThan(20);
      expect(setting.defaultValue, setting.key).not.toBeUndefined();
      if (setting.type !== 'integer') continue;
      expect(setting.minimum, setting.key).not.toBeNull();
      expect(setting.maximum, setting.key).not.toBeNull();
      expect(setting.key, 'a unit or a plain count in the name').toMatch(
        /(Bytes|BytesMax(BeforeTune)?|Ms(Min|Max)?|S|(connections|Connections|topics|queuesPerTopic|groups|calls|groupMembers|partitions|channelsPerConnection|unackedPerChannel|consumersPerChannel|sends|pulls|requests)Max|defaultPartitions|[pP]ort)$/,
      );
    }
  });

  it('a secret has no flag', () => {
    expect(settings.filter((s) => s.isSecret).map((s) => [s.key, s.flag])).toEqual([['tls.keyPassphrase', null]]);
  });

  it('leaves the variables alone that Kubernetes makes for a service of this name', () => {
    const { given, problems: found } = readEnvironment({
      ROSETTAMQ_SERVICE_HOST: '10.0.0.7',
      ROSETTAMQ_SERVICE_PORT_KAFKA: '9092',
      ROSETTAMQ_PORT: 'tcp://10.0.0.7:9092',
      ROSETTAMQ_PORT_9092_TCP_ADDR: '10.0.0.7',
      ROSETTAMQ_KAFKA_PORT: 'tcp://10.0.0.7:9092',
      ROSETTAMQ_HTTP_PORT: '',
    });
    expect([given, found]).toEqual([[], []]);
  });
});

describe('nearest', () => {
  it('finds what was meant, and nothing where nothing is near', () => {
    expect(nearest('segmentByte', ['segmentBytes', 'reserveBytes'])).toBe('segmentBytes');
    expect(nearest('prot', ['port'])).toBe('port');
    expect(nearest('datadir', ['dataDir'])).toBe('dataDir');
    expect(nearest('zzzz', ['port'])).toBeNull();
  });
});
