// The two brokers that are compared, with the same users. RabbitMQ has them from definitions that it loads at its start,
// ours from its admin API.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Product } from '../harness/product.ts';
import { scratch } from '../harness/work.ts';
import { startRabbitmq } from '../peers/rabbitmq/rabbitmq.ts';

export const USER = 'oracle';
export const PASSWORD = 'oracle-password';
export const RIGHT = `\0${USER}\0${PASSWORD}`;
export const WRONG = `\0${USER}\0wrong-password`;
export const NOBODY = `\0nobody\0${PASSWORD}`;

const entry = (name: string, value: string): string =>
  `${String.fromCharCode(name.length)}${name}S\0\0\0${String.fromCharCode(value.length)}${value}`;
export const AMQPLAIN = entry('LOGIN', USER) + entry('PASSWORD', PASSWORD);

/** May do everything with what begins with `mine`, nothing else. */
export const LIMITED = 'limited';
/** May read everything, and neither make nor write anything. */
export const READER = 'reader';
/** Has no right in the virtual host. */
export const STRANGER = 'stranger';

const permission = (user: string, configure: string, write: string, read: string) => ({
  user,
  vhost: '/',
  configure,
  write,
  read,
});

const DEFINITIONS = {
  vhosts: [{ name: '/' }],
  users: [USER, LIMITED, READER, STRANGER].map((name) => ({
    name,
    password: PASSWORD,
    tags: name === USER ? ['administrator'] : [],
  })),
  permissions: [
    permission(USER, '.*', '.*', '.*'),
    permission(LIMITED, '^mine', '^mine', '^mine'),
    permission(READER, '^$', '^$', '.*'),
  ],
};

const EVERYTHING = ['publish', 'consume', 'create', 'update', 'delete', 'describe'];
const RULES = [
  { id: 'limited', user: LIMITED, actions: EVERYTHING, resource: 'topic', pattern: 'mine*' },
  { id: 'reader', user: READER, actions: ['consume', 'describe'], resource: 'topic', pattern: '*' },
];

export interface Brokers {
  readonly rabbitmq: number;
  readonly ours: number;
  stop(): Promise<void>;
}

const portOf = (url: string): number => Number(new URL(url).port);

export async function startBrokers(): Promise<Brokers> {
  const folder = join(scratch('amqp-oracle'), 'rabbitmq');
  mkdirSync(folder);
  const [rabbit, product] = await Promise.all([
    startRabbitmq(folder, { plugins: ['rabbitmq_consistent_hash_exchange'], definitions: DEFINITIONS }),
    Product.start('amqp-oracle', { flush: 'async' }),
  ]);
  // The first user gets every right; from then on the API asks for a user.
  await product.admin('POST', '/users', { name: USER, password: PASSWORD });
  product.signIn(USER, PASSWORD);
  for (const name of [LIMITED, READER, STRANGER]) await product.admin('POST', '/users', { name, password: PASSWORD });
  for (const rule of RULES) await product.admin('POST', '/rules', { allow: true, namespace: 'default', ...rule });
  return {
    rabbitmq: portOf(rabbit.url),
    ours: portOf(product.endpoints.amqp),
    async stop() {
      await product.stop();
      for (const server of rabbit.servers) await server.stop();
    },
  };
}
