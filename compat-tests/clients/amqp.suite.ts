// AMQP 0-9-1 clients doing what RabbitMQ applications do. Each test runs with amqplib, pika and the Java client.
import { assertSame, message } from '../harness/messages.ts';
import { fresh, stage } from '../harness/suite.ts';
import { test } from '../harness/test.ts';
import { amqpBasics } from './amqp-basics.ts';

const here = stage('clients-amqp', ['amqp']);

for (const client of ['amqplib', 'pika', 'java'] as const) amqpBasics(here, client);

test('each of the three reads what each of the three published', async () => {
  const name = fresh('q');
  const clients = ['amqplib', 'pika', 'java'] as const;
  await here.call('amqplib', 'amqp.declare', { queues: [{ name }] });
  for (const reader of clients) {
    for (const writer of clients) {
      const sent = message({
        body: `${writer} to ${reader}`,
        routingKey: name,
        tag: 'T',
        headers: { a: 'text' },
        binaryHeaders: { raw: new Uint8Array([0, 255]) },
      });
      await here.call(writer, 'amqp.publish', { messages: [sent] });
      const { message: got } = await here.call(reader, 'amqp.get', { queue: name });
      assertSame({ ...got!, key: null }, sent);
    }
  }
});
