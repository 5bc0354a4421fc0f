// Celery with real workers, as its users run it: results through the rpc backend, retries, ETA, prefetch, late
// acknowledgements with a worker that is killed, remote control.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ClientProcess } from '../harness/client-process.ts';
import { ServerProcess } from '../harness/process.ts';
import { Product } from '../harness/product.ts';
import { fresh } from '../harness/suite.ts';
import { isAgainstPeers, startTarget, type Target } from '../harness/target.ts';
import { after, before } from '../harness/test.ts';
import { pythonWith } from '../harness/toolchain.ts';
import { until } from '../harness/wait.ts';
import { scratch, work } from '../harness/work.ts';

const FOLDER = join(import.meta.dirname, 'celery');

interface Reply {
  id: string;
  state: string;
  value: unknown;
  replies: Record<string, unknown>;
}

interface Settings {
  readonly pool?: 'prefork' | 'solo';
  readonly concurrency?: number;
  readonly prefetch?: number;
  readonly queueType?: 'classic' | 'quorum';
  /** The broker's, when it is not the one of all. */
  readonly url?: string;
}

let target: Target;
let python: string;
let folder: string;
const toEnd: (() => Promise<unknown>)[] = [];

before(async () => {
  python = await pythonWith('celery', join(FOLDER, 'requirements.txt'));
  folder = scratch('celery');
  target = await startTarget('celery', ['amqp']);
});
after(async () => {
  await Promise.all(toEnd.map((end) => end().catch(() => undefined)));
  await target?.stop();
});

/** An application of its own: its queue, its workers, its caller, and the file in which its tasks write. */
class Application {
  readonly queue = fresh('celery');
  readonly file: string;
  readonly #settings: Settings;
  #caller: ClientProcess<Reply> | null = null;

  constructor(settings: Settings = {}) {
    this.#settings = settings;
    this.file = join(folder, `${this.queue}.txt`);
    writeFileSync(this.file, '');
  }

  #environment(worker = ''): NodeJS.ProcessEnv {
    return {
      ...process.env,
      BROKER_URL: `${this.#settings.url ?? target.endpoints.amqp}//`,
      TASK_QUEUE: this.queue,
      TASK_QUEUE_TYPE: this.#settings.queueType ?? 'classic',
      PREFETCH: String(this.#settings.prefetch ?? 4),
      WORKER: worker,
      PYTHONPATH: FOLDER,
      PYTHONDONTWRITEBYTECODE: '1',
    };
  }

  get caller(): ClientProcess<Reply> {
    if (!this.#caller) {
      const caller = new ClientProcess<Reply>('celery', 'amqp', python, [join(FOLDER, 'caller.py')], {
        env: this.#environment(),
      });
      toEnd.push(() => caller.stop());
      this.#caller = caller;
    }
    return this.#caller;
  }

  /** A worker that takes tasks when this returns. */
  async worker(name: string): Promise<ServerProcess> {
    const { pool = 'prefork', concurrency = 2 } = this.#settings;
    const host = `${name}@${this.queue}`;
    const args = [
      '-m',
      'celery',
      '-A',
      'tasks',
      'worker',
      '-P',
      pool,
      '-c',
      String(concurrency),
      '-n',
      host,
      '-l',
      'INFO',
    ];
    const worker = new ServerProcess(`celery ${name}`, python, args, {
      env: this.#environment(name),
      cwd: folder,
      logFile: work('logs', `celery-${host}.log`),
    });
    toEnd.push(() => worker.stop(5_000));
    await worker.ready(async () => worker.logTail(200).includes('ready.'), 60_000);
    return worker;
  }

  async send(task: string, args: unknown[], options: Record<string, unknown> = {}): Promise<string> {
    return (await this.caller.call('send', { task, args, ...options })).id;
  }

  async result(id: string, waitMs = 20_000): Promise<unknown> {
    const { state, value } = await this.caller.call('result', { task_id: id, waitMs });
    return state === 'SUCCESS' ? value : `${state}: ${String(value)}`;
  }

  /** What the tasks wrote: time, worker, text. */
  lines(): { at: number; worker: string; text: string }[] {
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [at, worker, ...text] = line.split(' ');
        return { at: Number(at) * 1_000, worker: worker!, text: text.join(' ') };
      });
  }

  texts(): string[] {
    return this.lines().map((one) => one.text);
  }
}

void describe('celery', { concurrency: 4 }, () => {
  void it('results come back through rpc, also of failures, chains and groups', async () => {
    const app = new Application();
    await app.worker('w');
    assert.equal(await app.result(await app.send('add', [2, 3])), 5);
    assert.equal(await app.result(await app.send('fail', ['on purpose'])), 'FAILURE: on purpose');
    const ids: string[] = [];
    for (let i = 0; i < 100; i++) ids.push(await app.send('add', [i, 1]));
    const values: unknown[] = [];
    for (const id of ids) values.push(await app.result(id));
    assert.deepEqual(
      values,
      ids.map((_, i) => i + 1),
    );
    assert.equal((await app.caller.call('chain', { a: 5 })).value, 116);
    assert.deepEqual(
      (await app.caller.call('group', { count: 20 })).value,
      Array.from({ length: 20 }, (_, i) => 2 * i),
    );
  });

  void it('a task that fails is retried after its countdown, so often as it asks for', async () => {
    const app = new Application();
    await app.worker('w');
    const id = await app.send('flaky', [app.file, 3, 0.4]);
    assert.equal(await app.result(id), 3);
    const lines = app.lines();
    assert.deepEqual(app.texts(), ['attempt 0', 'attempt 1', 'attempt 2', 'attempt 3']);
    for (let i = 1; i < 4; i++)
      assert.ok(lines[i]!.at - lines[i - 1]!.at >= 390, `${lines[i]!.at - lines[i - 1]!.at} ms`);
  });

  void it('a task with an ETA waits for it, others pass it', async () => {
    const app = new Application();
    await app.worker('w');
    const sentAt = Date.now();
    const late = await app.send('mark', [app.file, 'late'], { countdown: 2 });
    const now = await app.send('mark', [app.file, 'now']);
    assert.equal(await app.result(now), 'now');
    assert.equal(await app.result(late), 'late');
    assert.deepEqual(app.texts(), ['now', 'late']);
    assert.ok(app.lines()[1]!.at - sentAt >= 1_950);
  });

  void it('a worker takes no more than its prefetch, the rest waits for another worker', async () => {
    const app = new Application({ pool: 'solo', concurrency: 1, prefetch: 1 });
    await app.worker('one');
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.push(await app.send('slow', [app.file, String(i), 1]));
    await until('the first has begun', async () => app.texts().includes('begin 0'));
    await app.worker('two');
    for (const id of ids) await app.result(id);
    const ended = app.lines().filter((one) => one.text.startsWith('end'));
    assert.equal(ended.length, 12);
    assert.deepEqual(new Set(ended.map((one) => one.worker)), new Set(['one', 'two']));
  });

  void it('a task of a worker that is killed is done by another, when it is acknowledged late', async () => {
    const app = new Application({ pool: 'solo', concurrency: 1, prefetch: 1 });
    const doomed = await app.worker('doomed');
    const id = await app.send('slow', [app.file, 'task', 2]);
    await until('the task has begun', async () => app.texts().includes('begin task'));
    const waiting = await app.send('add', [1, 1]);
    await doomed.kill9();
    await app.worker('other');
    assert.equal(await app.result(id), 'task');
    assert.equal(await app.result(waiting), 2);
    assert.deepEqual(
      app.lines().map((one) => `${one.worker} ${one.text}`),
      ['doomed begin task', 'other begin task', 'other end task'],
    );
  });

  void it('quorum queues: results, retries, and an ETA that the broker waits for', async () => {
    const app = new Application({ queueType: 'quorum' });
    await app.worker('w');
    assert.equal(await app.result(await app.send('add', [2, 3])), 5);
    assert.equal(await app.result(await app.send('flaky', [app.file, 2, 1])), 2);
    const sentAt = Date.now();
    const late = await app.send('mark', [app.file, 'late'], { countdown: 3 });
    assert.equal(await app.result(await app.send('mark', [app.file, 'now'])), 'now');
    assert.equal(await app.result(late), 'late');
    assert.ok(app.lines().at(-1)!.at - sentAt >= 2_900, `${app.lines().at(-1)!.at - sentAt} ms`);
  });

  void it('a broker that is called RabbitMQ is asked for other things, and does them', {
    // Celery looks at product and version and then asks for a prefetch of the whole channel.
    skip: isAgainstPeers ? 'it is RabbitMQ' : false,
  }, async () => {
    const product = await Product.start('celery-named', {
      settings: { 'amqp.productName': 'RabbitMQ', 'amqp.productVersion': '3.13.7' },
    });
    toEnd.push(() => product.stop());
    const app = new Application({ url: product.endpoints.amqp });
    await app.worker('w');
    assert.equal(await app.result(await app.send('add', [2, 3])), 5);
    assert.equal(await app.result(await app.send('flaky', [app.file, 2, 0.2])), 2);
    assert.equal(await app.result(await app.send('mark', [app.file, 'late'], { countdown: 1 })), 'late');
  });

  void it('remote control reaches every worker, a revoked task is not done', async () => {
    const app = new Application();
    await app.worker('a');
    await app.worker('b');
    const { replies } = await app.caller.call('ping', { waitMs: 4_000 });
    const mine = Object.keys(replies).filter((name) => name.endsWith(app.queue));
    assert.deepEqual(mine.sort(), [`a@${app.queue}`, `b@${app.queue}`]);
    const id = await app.send('mark', [app.file, 'revoked'], { countdown: 2 });
    await app.caller.call('revoke', { task_id: id });
    assert.equal(await app.result(id), 'REVOKED: revoked');
    assert.deepEqual(app.texts(), []);
  });
});
