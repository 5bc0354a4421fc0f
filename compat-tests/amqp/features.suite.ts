// RabbitMQ's extensions with amqplib, pika and the Java client side by side.
import { describe } from 'node:test';
import { stage } from '../harness/suite.ts';
import { amqpFeatures } from './features.ts';

const here = stage('amqp-features', ['amqp']);

void describe('features', { concurrency: 3 }, () => {
  for (const client of ['amqplib', 'pika', 'java'] as const) amqpFeatures(here, client);
});
