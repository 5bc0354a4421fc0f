// The command line as a process: help, wrong usage, configuration, and the commands that ask a broker (here a stub
// behind the real HTTP API).
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { Gateway } from '../launcher.ts';
import { runCli } from '../testing/run-cli.ts';
import { StubBroker } from '../testing/stub-broker.ts';
import { printable, table } from './table.ts';

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'rosettamq-cli-'));
afterAll(() => fs.rmSync(dir, { recursive: true }));

const cli = (...args: string[]) => runCli(args, { cwd: dir });

describe('help and usage', () => {
  it('every command explains itself', async () => {
    const commands = [
      [],
      ['start'],
      ['config'],
      ['config', 'print'],
      ['inspect'],
      ['topic'],
      ...['list', 'create', 'describe', 'delete'].map((verb) => ['topic', verb]),
      ...['list', 'describe'].map((verb) => ['group', verb]),
      ...['add', 'list', 'delete'].map((verb) => ['user', verb]),
      ...['add', 'list', 'delete'].map((verb) => ['rule', verb]),
    ];
    for (const command of commands) {
      const { code, stdout, stderr } = await cli(...command, '--help');
      expect([code, stderr], command.join(' ')).toEqual([0, '']);
      expect(stdout).toContain(`Usage: ${['rosettamq', ...command].join(' ')}`);
    }
    expect((await cli('start', '--help')).stdout).toMatch(
      /--kafka-port <number> +TCP port of Kafka.*\(default: 9092\)/,
    );
    expect((await cli('--version')).stdout).toBe('0.1.0\n');
  });

  it.each([
    ['an unknown command', ['tpoic'], 'Did you mean topic?'],
    ['an unknown option', ['start', '--kafka-prot', '1'], 'Did you mean --kafka-port?'],
    ['a missing argument', ['topic', 'describe'], "missing required argument 'name'"],
    ['a value that does not fit', ['topic', 'create', 'a', '--queues', 'many'], 'whole number'],
    ['a secret as a flag', ['start', '--tls-key-passphrase', 'x'], "unknown option '--tls-key-passphrase'"],
  ])('%s ends with 2 and a hint', async (_what, args, hint) => {
    const { code, stdout, stderr } = await cli(...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(hint);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  it('a wrong configuration ends with 2, all of it named, nothing touched', async () => {
    const cwd = fs.mkdtempSync(path.join(dir, 'wrong-'));
    fs.writeFileSync(path.join(cwd, 'rosettamq.yaml'), 'kafka:\n  prot: 1\n');
    const env = { ROSETTAMQ_AMQP_PORT: 'many' };
    const { code, stderr } = await runCli(['start', '--http-port', '99999'], { cwd, env });
    expect(code).toBe(2);
    expect(stderr.split('\n').slice(0, -1)).toEqual([
      'rosettamq: the configuration is not valid:',
      '  - rosettamq.yaml:2: unknown key kafka.prot; did you mean kafka.port?',
      '  - amqp.port: "many" (environment ROSETTAMQ_AMQP_PORT) is not a whole number from 0 to 65535',
      '  - http.port: 99999 (flag --http-port) is not a whole number from 0 to 65535',
    ]);
    expect(fs.readdirSync(cwd)).toEqual(['rosettamq.yaml']);
  });
});

describe('config print', () => {
  it('shows each value and where it came from, secrets hidden', async () => {
    fs.writeFileSync(path.join(dir, 'my.yaml'), 'store:\n  flush: async\n');
    const env = { ROSETTAMQ_CONFIG: 'my.yaml', ROSETTAMQ_TLS_KEY_PASSPHRASE: 'hunter2', ROSETTAMQ_INSECURE: 'true' };
    const { code, stdout } = await runCli(['config', 'print', '--kafka-port', '9093'], { cwd: dir, env });
    const rows = new Map(stdout.split('\n').map((line) => [line.split(/ {2,}/)[0], line.split(/ {2,}/).slice(1)]));
    expect(code).toBe(0);
    expect(rows.get('kafka.port')).toEqual(['9093', 'flag --kafka-port']);
    expect(rows.get('store.flush')).toEqual(['async', 'my.yaml:2']);
    expect(rows.get('insecure')).toEqual(['true', 'environment ROSETTAMQ_INSECURE']);
    expect(rows.get('tls.keyPassphrase')).toEqual(['********', 'environment ROSETTAMQ_TLS_KEY_PASSPHRASE']);
    expect(rows.get('dataDir')).toEqual(['./data', 'default']);
    const json = await runCli(['config', 'print', '--json'], { cwd: dir, env });
    expect(json.stdout + stdout).not.toContain('hunter2');
    expect(JSON.parse(json.stdout)).toContainEqual({ key: 'store.flush', value: 'async', origin: 'my.yaml:2' });
  });
});

describe('the entry', () => {
  const hasPinned = (() => {
    try {
      createRequire(import.meta.url).resolve(`node-${process.platform}-${process.arch}/bin/node`);
      return true;
    } catch {
      return false;
    }
  })();
  const older =
    'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.19.0"}})';

  it.skipIf(!hasPinned)('on an older Node runs under the pinned one, with output and exit code kept', async () => {
    const options = { cwd: dir, nodeArguments: ['--import', older] };
    expect(await runCli(['--version'], options)).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
    expect((await runCli(['tpoic'], options)).code).toBe(2);
    expect((await runCli(['topic', 'list', '--url', 'http://127.0.0.1:1'], options)).code).toBe(3);
  });
});

describe('asking a broker', () => {
  const broker = new StubBroker();
  let gateway: Gateway;
  let url: string;
  beforeAll(async () => {
    const flags = new Map([
      ['dataDir', path.join(dir, 'data')],
      ['http.port', '0'],
    ]);
    const { config } = loadConfig({ flags, env: {}, cwd: dir, file: undefined });
    const parts = { protocols: [], openBroker: async () => broker.verbs };
    gateway = await Gateway.launch(config, parts, pino({ level: 'silent' }), () => undefined);
    url = `http://127.0.0.1:${gateway.listeners.bound('http')!.port}`;
  });
  afterAll(() => gateway.stop());
  const ask = (args: string[], env: Record<string, string> = {}, stdin = '') =>
    runCli(args, { cwd: dir, env: { ROSETTAMQ_URL: url, ...env }, stdin });

  it('topics and groups, as tables and as JSON', async () => {
    expect((await ask(['topic', 'list'])).stdout).toBe('no topics\n');
    expect((await ask(['topic', 'create', 'orders', '--queues', '2'])).stdout).toBe(
      'created topic orders with 2 queue(s)\n',
    );
    expect((await ask(['topic', 'create', 'work', '--kind', 'queue'])).stdout).toBe(
      'created queue work with 1 queue(s)\n',
    );
    expect((await ask(['topic', 'list'])).stdout).toBe(
      [
        'NAME    KIND   QUEUES  FLUSH  RETENTION',
        'orders  topic       2  sync   3 d',
        'work    queue       1  sync   until consumed',
        '',
      ].join('\n'),
    );
    expect((await ask(['topic', 'describe', 'orders'])).stdout).toContain(
      'QUEUE  START  END  STABLE  MESSAGES\n    0      2   10       9         8\n',
    );
    broker.addGroup('billing', { 0: 4, 1: 10 });
    expect((await ask(['group', 'list'])).stdout).toBe(
      'NAME     PROTOCOL  MEMBERS  LAG  TOPICS\nbilling  tester          0    6  orders\n',
    );
    expect((await ask(['group', 'describe', 'billing'])).stdout).toContain(
      'TOPIC   QUEUE  COMMITTED  END  LAG  IN FLIGHT  CONSUMERS\norders      0          4   10    6          0          0\n',
    );
    expect(JSON.parse((await ask(['group', 'describe', 'billing', '--json'])).stdout)).toMatchObject({ lag: 6 });
    expect((await ask(['topic', 'delete', 'orders'])).stdout).toBe('deleted orders\n');
  });

  it('a refusal ends with 1 and says what the broker said', async () => {
    const { code, stdout, stderr } = await ask(['topic', 'describe', 'absent']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toBe('rosettamq: There is no topic "absent"; GET /api/v1/topics lists what there is.\n');
  });

  it('nobody there ends with 3 and says what to do', async () => {
    const { code, stderr } = await ask(['topic', 'list', '--url', 'http://127.0.0.1:1']);
    expect(code).toBe(3);
    expect(stderr).toMatch(/cannot reach RosettaMQ at http:\/\/127\.0\.0\.1:1: .*\nStart it with `rosettamq start`/);
  });

  it('an answer that never comes is told from nobody there', async () => {
    const server = net.createServer((socket) => socket.once('data', () => socket.destroy())).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const { code, stderr } = await ask(['topic', 'create', 'x', '--url', `http://127.0.0.1:${port}`]);
    server.close();
    expect([code, stderr]).toEqual([3, expect.stringContaining('did not answer')]);
    expect(stderr).toContain('may have been done or not');
  });

  it('finds the broker by the configuration of the working directory', async () => {
    const cwd = fs.mkdtempSync(path.join(dir, 'configured-'));
    fs.writeFileSync(path.join(cwd, 'rosettamq.yaml'), `http: { port: ${new URL(url).port} }\n`);
    expect((await runCli(['user', 'list'], { cwd })).stdout).toBe(
      'no users: everybody on this machine may do everything\n',
    );
  });

  it('the first user locks the door behind it', async () => {
    expect((await ask(['user', 'add', 'ann'], {}, 'short\n')).stderr).toContain('password');
    expect((await ask(['user', 'add', 'ann'], {}, 'correct horse\n')).stdout).toContain('user ann is set');
    const unknown = await ask(['user', 'list']);
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      expect.stringContaining('ROSETTAMQ_USER and ROSETTAMQ_PASSWORD'),
    ]);
    const credentials = { ROSETTAMQ_USER: 'ann', ROSETTAMQ_PASSWORD: 'correct horse' };
    expect((await ask(['user', 'list'], credentials)).stdout).toBe('NAME\nann\n');
    fs.writeFileSync(path.join(dir, 'secret'), 'correct horse\nmore\n');
    const byFile = ['--user', 'ann', '--password-file', 'secret'];
    expect(
      (await ask(['rule', 'add', 'app', '--action', 'publish', 'describe', '--pattern', 'a*', ...byFile])).stdout,
    ).toBe('rule app:allow:topic:default:a* is in force\n');
    expect((await ask(['rule', 'list', ...byFile])).stdout).toMatch(
      /app:allow:topic:default:a\* +app +allow +publish,describe +topic +default +a\*\n/,
    );
    expect((await ask(['rule', 'delete', 'app:allow:topic:default:a*', ...byFile])).code).toBe(0);
  });
});

describe('tables', () => {
  it('align words to the left and numbers to the right, and steer no terminal', () => {
    expect(
      table(
        ['A', 'COUNT'],
        [
          ['x', 1],
          ['long', 100],
        ],
      ),
    ).toBe('A     COUNT\nx         1\nlong    100\n');
    expect(printable('a\u001b[31m\u202eb\n')).toBe('a\\u001b[31m\\u202eb\\u000a');
  });
});
