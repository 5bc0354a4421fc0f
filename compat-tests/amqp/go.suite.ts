// amqp091-go: what every AMQP client must be able to do, and RabbitMQ's extensions. A suite of its own, because not every
// machine has Go.
import { amqpBasics } from '../clients/amqp-basics.ts';
import { stage } from '../harness/suite.ts';
import { amqpFeatures } from './features.ts';

const here = stage('amqp-go', ['amqp']);

amqpBasics(here, 'amqp091-go');
amqpFeatures(here, 'amqp091-go');
