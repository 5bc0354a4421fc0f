// Delays made of queues that expire into one another, as Celery builds them over quorum queues: a level for each bit of the
// delay, exchanges bound to exchanges all the way down.
import { type Scene, scenario } from '../scene.ts';

const LEVELS = 28;

/** Declares all levels and a queue behind them; gives the routing key of a delay. */
async function declared(scene: Scene, queueType: string) {
  const channel = await scene.channel();
  channel.isTold = false;
  const level = (n: number): string => scene.name(n < 0 ? 'delivery' : `level-${n}`);
  let key = '1.#';
  for (let n = LEVELS - 1; n >= 0; n--) {
    await channel.exchange(level(n), 'topic');
    await channel.queue(
      level(n),
      {},
      {
        'x-queue-type': queueType,
        'x-overflow': 'reject-publish',
        'x-message-ttl': 2 ** n * 250,
        'x-dead-letter-exchange': level(n - 1),
        ...(queueType === 'quorum' ? { 'x-dead-letter-strategy': 'at-least-once' } : {}),
      },
    );
    await channel.bind(level(n), level(n), key);
    key = `*.${key}`;
  }
  await channel.exchange(level(-1), 'topic');
  key = '0.#';
  for (let n = LEVELS - 1; n >= 0; n--) {
    await channel.bindExchange(level(n - 1), level(n), key);
    key = `*.${key}`;
  }
  const queue = scene.name('q');
  await channel.queue(queue);
  await channel.bind(queue, level(-1), '#.q');
  channel.isTold = true;
  const keyOf = (units: number): string => `${units.toString(2).padStart(LEVELS, '0').split('').join('.')}.q`;
  return { channel, queue, keyOf, first: level(LEVELS - 1) };
}

export const delays = ['classic', 'quorum'].map((queueType) =>
  scenario(`delay of levels: ${queueType}`, async (scene) => {
    const { channel, queue, keyOf, first } = await declared(scene, queueType);
    await channel.confirm();
    for (const units of [5, 1, 0, 2])
      channel.publish(first, keyOf(units), `${units}`, { deliveryMode: 2 }, { mandatory: true });
    await channel.confirms();
    await scene.count(queue, 4, 6_000);
    for (let i = 0; i < 4; i++) {
      const one = await channel.get(queue);
      channel.tell(`${one?.body} came`);
    }
  }),
);
