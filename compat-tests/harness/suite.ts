// What every suite file needs: a target that is started before its tests and stopped after them, drivers likewise, and
// names that no other test uses.

import { Driver, type DriverName, type Reply } from '../drivers/driver.ts';
import { startTarget, type Target } from './target.ts';
import { after, before } from './test.ts';

export interface Stage {
  readonly target: Target;
  /** Calls a verb on a driver, which is started at its first use. */
  call(driver: DriverName, op: string, fields?: Record<string, unknown>): Promise<Reply>;
  driver(name: DriverName): Promise<Driver>;
  /** A topic with a fresh name. */
  topic(queues: number, prefix?: string): Promise<string>;
}

let names = 0;
const run = Date.now().toString(36).slice(-5);

/** A name that no other test of any run uses, legal in all three protocols. */
export function fresh(prefix: string): string {
  return `${prefix}-${run}-${++names}`;
}

/** Sets up a stage for the tests of this file: one target, drivers as they are asked for. */
export function stage(
  name: string,
  protocols: readonly ('kafka' | 'rocketmq' | 'amqp')[] = ['kafka', 'rocketmq', 'amqp'],
): Stage {
  let target: Target | null = null;
  const drivers = new Map<DriverName, Promise<Driver>>();
  before(async () => {
    target = await startTarget(name, protocols);
  });
  after(async () => {
    for (const driver of drivers.values()) await driver.then((one) => one.stop()).catch(() => undefined);
    await target?.stop();
  });
  const driver = (wanted: DriverName): Promise<Driver> => {
    let opened = drivers.get(wanted);
    if (!opened) {
      opened = Driver.start(wanted, target!.endpoints);
      drivers.set(wanted, opened);
    }
    return opened;
  };
  return {
    get target() {
      return target!;
    },
    driver,
    call: async (wanted, op, fields) => (await driver(wanted)).call(op, fields),
    async topic(queues, prefix = 't') {
      const topic = fresh(prefix);
      await target!.createTopic(topic, queues);
      return topic;
    },
  };
}
