// What a scenario works with: connections to one broker, names of its own, and the transcript of all that the broker said.
// In the transcript everything that differs between two runs by nature (names, server-made names, times) is told by kind,
// so that the transcripts of two brokers can be compared line by line.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Channel, Link, type Login } from './link.ts';

export interface Scenario {
  readonly name: string;
  run(scene: Scene): Promise<void>;
}

export const scenario = (name: string, run: Scenario['run']): Scenario => ({ name, run });

/** Begins the line of a scenario that threw: a mistake in it, or a broker that is gone. */
export const FAILED = '- the scenario failed';

const SCENARIO_WAIT_MS = 60_000;
let runs = 0;

export class Scene {
  readonly port: number;
  readonly #suffix = `~${(++runs).toString(36)}${Date.now().toString(36).slice(-4)}`;
  readonly #lines = new Map<string, string[]>();
  readonly #links: Link[] = [];
  #helper: Promise<Channel> | null = null;

  constructor(port: number) {
    this.port = port;
  }

  /** A name that no other run uses, told without what makes it so. */
  name(base: string): string {
    return base + this.#suffix;
  }

  /** A connection that is logged in. */
  async link(login: Login = {}): Promise<Link> {
    return (await this.dial()).login(login);
  }

  /** A connection on which nothing was said yet. */
  async dial(): Promise<Link> {
    const link = await Link.dial(this.port, String.fromCharCode(65 + this.#links.length), this.#lines);
    this.#links.push(link);
    return link;
  }

  /** A channel on a connection of its own. */
  async channel(login: Login = {}): Promise<Channel> {
    return (await this.link(login)).channel();
  }

  tell(line: string): void {
    const lines = this.#lines.get('~') ?? [];
    this.#lines.set('~', lines);
    lines.push(line);
  }

  /** Waits until the queue has so many ready messages, and tells how many it has. */
  async count(queue: string, ready: number, waitMs = 3_000): Promise<void> {
    this.#helper ??= Link.dial(this.port, 'helper', new Map()).then(async (link) => {
      this.#links.push(link);
      return (await link.login()).channel();
    });
    const helper = await this.#helper;
    const until = performance.now() + waitMs;
    for (;;) {
      if (helper.isClosed) await helper.call('channel.open');
      const ok = await helper.call('queue.declare', { queue, passive: true });
      const count = ok === null ? 'not there' : Number(ok['messageCount']);
      if (count === ready || performance.now() > until) return this.tell(`${queue}: ${count} ready`);
      await sleep(20);
    }
  }

  sleep(ms: number): Promise<unknown> {
    return sleep(ms);
  }

  /** All lines, connection by connection and channel by channel, as far as they can be compared. */
  transcript(): string[] {
    return [...this.#lines.keys()]
      .toSorted()
      .flatMap((label) =>
        this.#lines.get(label)!.map((line) => `${label === '~' ? '' : `${label} `}${this.#plain(line)}`),
      );
  }

  #plain(line: string): string {
    return line
      .replaceAll(this.#suffix, '')
      .replaceAll(/amq\.gen-[\w-]{22}/g, 'amq.gen-*')
      .replaceAll(/amq\.ctag-[\w-]{22}/g, 'amq.ctag-*')
      .replaceAll(/amq\.rabbitmq\.reply-to\.[\w+/=.-]+/g, 'amq.rabbitmq.reply-to.*');
  }

  end(): void {
    for (const link of this.#links) link.cut();
  }
}

/** Plays a scenario against one broker. */
export async function play(one: Scenario, port: number): Promise<string[]> {
  const scene = new Scene(port);
  const stop = new AbortController();
  const late = sleep(SCENARIO_WAIT_MS, undefined, { signal: stop.signal }).then(
    () => scene.tell('- the scenario did not come to its end'),
    () => undefined,
  );
  try {
    await Promise.race([one.run(scene), late]);
  } catch (cause) {
    scene.tell(`${FAILED}: ${cause instanceof Error ? cause.message : String(cause)}`);
  } finally {
    stop.abort();
    await late;
  }
  const lines = scene.transcript();
  scene.end();
  return lines;
}
